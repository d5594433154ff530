"""Listeners with one peculiarity each, for the tests of the worker around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from models.base import Heard, ListeningJob
from models.listening.mock import MockListener


class Confused(MockListener):
    def transcribe(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard | None]:
        if job.prompt == "fail":
            raise ZeroDivisionError
        return super().transcribe(job, cancelled)

    def detector(self) -> Callable[[NDArray[np.float32]], float]:
        return lambda window: 1 / 0


class Hanging(MockListener):
    """Whose prompt is "hang" is understood, and then nothing more comes of the thread; nor of the one for detectors. In what is "quiet"
    five seconds long nothing is understood."""

    def transcribe(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard | None]:
        for _ in range(50 if job.prompt == "quiet" else 0):
            cancelled()
            time.sleep(0.1)
        yield from super().transcribe(job, cancelled)
        if job.prompt == "hang":
            threading.Event().wait()

    def detector(self) -> Callable[[NDArray[np.float32]], float]:
        return lambda window: float(threading.Event().wait())
