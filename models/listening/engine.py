"""The ListeningEngine of every listener: mock and Whisper run behind the same worker process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from models import work
from models.base import WINDOW, Detector, Heard, ListeningJob, Load
from models.engine import WorkerEngine
from models.listening import codec
from models.process import Exchange, Kind


class WorkerListeningEngine(WorkerEngine):
    kind = Kind("listening", "models.listening.worker")

    _jobs = 0

    @property
    def model(self) -> str:
        """Empty before it is ready."""
        return str(self._ready().get("model", ""))

    def load(self) -> Load:
        return Load(running=min(self._jobs, 1), waiting=max(0, self._jobs - 1))

    async def transcribe(self, job: ListeningJob) -> AsyncGenerator[Heard, None]:
        worker, told = self._alive(), work.current()
        self._jobs += 1
        try:
            with contextlib.closing(worker.begin()) as exchange:
                for part in codec.parts(job.samples):
                    exchange.send("audio", part)
                    await exchange.sent()
                exchange.send("transcribe", **codec.job_head(job))
                asked = time.monotonic()
                while (frame := await exchange.receive()) is not None:
                    told.begun("listening", asked, frame.head["begun"])
                    yield codec.heard_of(frame)
        finally:
            told.ended("listening", time.monotonic())
            self._jobs -= 1

    async def detector(self) -> Detector:
        exchange = self._alive().begin()
        exchange.send("detect")
        return WorkerDetector(exchange)


class WorkerDetector:
    """One stream. Samples that make no whole window yet wait here."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._numbers = count()
        self._rest = np.zeros(0, np.float32)

    async def feed(self, samples: NDArray[np.float32]) -> list[float]:
        samples = np.concatenate((self._rest, samples))
        whole = len(samples) // WINDOW * WINDOW
        self._rest = samples[whole:]
        return await self._ask(samples[:whole]) if whole else []

    async def close(self) -> None:
        self._exchange.close()

    async def _ask(self, windows: NDArray[np.float32]) -> list[float]:
        number = next(self._numbers)
        self._exchange.send("windows", windows.astype(np.float32).tobytes(), number=number)
        while (frame := await self._exchange.receive()) is not None:
            if frame.head["number"] == number:  # not the answer to one that was cancelled while it waited
                return [float(probability) for probability in codec.samples_of(frame.body)]
        return []
