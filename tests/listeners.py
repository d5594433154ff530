"""Listeners with one peculiarity each, for the tests of the worker around them."""

from __future__ import annotations

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
