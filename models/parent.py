"""No process outlives the one that has started it, and no memory of a GPU stays taken: whatever ends that one, SIGKILL too."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """The kernel kills this process when the thread that has started it ends: that must be one that lives as long as its process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():  # it has ended before this was asked for
        os._exit(1)
