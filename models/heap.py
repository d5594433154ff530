"""The memory of an engine that has ended, or that rests, back to the system."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def collect() -> None:
    """Collect what nobody refers to, what was frozen with it too. Stands still for as long as it takes, tenths of a second beside vLLM."""
    gc.unfreeze()
    gc.collect()


def give_back() -> None:
    """Give the C library's free pages back to the system, for a thread.

    glibc keeps what is freed between two blocks that live on: beside a language model's libraries some 40 MB after each of its deaths, of
    voices as much as they have ever worked with at once.
    """
    with suppress(OSError, AttributeError):  # another C library has no such thing
        ctypes.CDLL(None).malloc_trim(0)
