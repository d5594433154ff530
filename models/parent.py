"""No process outlives the one that has started it, and no memory of a GPU stays taken: whatever ends that one, SIGKILL too."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from contextlib import suppress

import psutil

_PR_SET_PDEATHSIG = 1


def end_with_parent(pid: int | None = None) -> None:
    """The kernel kills this process when the thread that has started it ends: that must be one that lives as long as its process.

    `pid` is that process, where it is not Python's multiprocessing that knows.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if pid is None and (parent := multiprocessing.parent_process()) is not None:
        pid = parent.pid
    if pid not in {None, os.getppid()}:  # it has ended before this was asked for
        os._exit(1)


def kill_tree(pid: int) -> None:
    """Kill a process and all that it has started, the youngest first, but for Python's trackers of shared memory: these remove what the
    killed leave of it, and end. Not for the event loop: it reads what each of them runs."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (*reversed(process.children(recursive=True)), process):
            with suppress(psutil.NoSuchProcess):
                if not any("resource_tracker" in word for word in one.cmdline()):
                    one.kill()
