"""What the mock engines of the workers do when they are told to fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

from models.errors import EngineFailed

_STEP = 0.005
"""Seconds between two looks whether a job that hangs was cancelled."""


def fail(kind: str, engine: str, cancelled: Callable[[], bool]) -> Iterator[None]:
    """In mid-stream, as settings.Fault says. One that hangs yields, so that other jobs get their turn."""
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "mid_stream":
        raise EngineFailed(f"the mock {engine} engine fails in mid-stream, as it was told to")
    while kind == "hang" and not cancelled():
        time.sleep(_STEP)
        yield None
