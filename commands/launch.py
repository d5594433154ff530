"""BentoML, and before it nothing that takes time: a signal that comes while it is imported ends the process as one that comes later does.

`fireside serve` hands over to `python -P commands/launch.py serve ...`. The first process of a container would not even notice a SIGTERM
for which it has no handler yet.
"""

from __future__ import annotations

import os
import runpy
import signal
from types import FrameType

SIGNALS = {signal.SIGTERM, signal.SIGINT}


def leave_on_signals() -> None:
    """Nothing has been started yet that would have to be ended."""
    for number in SIGNALS:
        signal.signal(number, _leave)


def hold_signals() -> None:
    """One that comes from now on waits until `launch.py`, which takes this process over, can have it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    leave_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
