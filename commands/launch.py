"""BentoML, and before it nothing that takes time: a signal that comes while it is imported ends the process as one that comes later does.

`fireside serve` hands over to `python -P commands/launch.py serve ...`. The first process of a container would not even notice a SIGTERM
for which it has no handler yet.
"""

from __future__ import annotations

import os
import runpy
import signal
from types import FrameType
from typing import Any

SIGNALS = {signal.SIGTERM, signal.SIGINT}
AGAIN = 0.05
"""Seconds until a supervisor that was busy is told again."""


def leave_on_signals() -> None:
    """Nothing has been started yet that would have to be ended."""
    for number in SIGNALS:
        signal.signal(number, _leave)


def hold_signals() -> None:
    """One that comes from now on waits until `launch.py`, which takes this process over, can have it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def tell_workers_who_starts_them() -> None:
    """BentoML's supervisor is this process. A worker looks after it once it has come to service.py (api/ending.py): seconds later."""
    os.environ["FIRESIDE_SUPERVISOR"] = str(os.getpid())


def lose_no_signal() -> None:
    """BentoML's supervisor refuses a command while it starts or mends a worker, and so forgets a signal that comes then: it is told again
    until it is free."""
    from circus.client import make_json
    from circus.sighandler import SysHandler

    def leave(handler: Any) -> None:
        controller = handler.controller
        arbiter = controller.arbiter

        def tell() -> None:
            if arbiter._restarting or arbiter._exclusive_running_command is not None:
                controller.loop.call_later(AGAIN, tell)
            else:
                controller.dispatch((None, make_json("quit")))

        controller.loop.add_callback_from_signal(tell)

    SysHandler.quit = leave


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    leave_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    tell_workers_who_starts_them()
    lose_no_signal()
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
