"""The ListeningEngine of every listener: mock and Whisper run behind the same worker process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from models import work
from models.base import LISTENING_RATE, WINDOW, Detector, Heard, ListeningJob, Load
from models.engine import WorkerEngine
from models.listening import codec
from models.process import Exchange, Kind, WorkerProcess

_PROBE = ListeningJob("probe", np.zeros(LISTENING_RATE // 4, np.float32), language="en", temperature=0.0, urgent=True)
"""Past the files that wait, as a turn of a conversation: that way is the shortest. Silence, of which nothing is invented."""


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
            async with contextlib.aclosing(_heard(worker, job)) as found:
                asked = time.monotonic()
                async for begun, heard in found:
                    told.begun("listening", asked, begun)
                    yield heard
        finally:
            told.ended("listening", time.monotonic())
            self._jobs -= 1

    async def probe(self) -> None:
        with contextlib.closing(self._alive().begin(probe=True)) as exchange:
            await _detector(exchange).feed(_PROBE.samples[:WINDOW])
        async for _ in _heard(self._alive(), _PROBE, probe=True):
            pass

    async def detector(self) -> Detector:
        return _detector(self._alive().begin())


def _detector(exchange: Exchange) -> WorkerDetector:
    exchange.send("detect")
    return WorkerDetector(exchange)


async def _heard(worker: WorkerProcess, job: ListeningJob, *, probe: bool = False) -> AsyncGenerator[tuple[float, Heard], None]:
    """Each with the moment at which the worker began with the job."""
    with contextlib.closing(worker.begin(probe=probe)) as exchange:
        for part in codec.parts(job.samples):
            exchange.send("audio", part)
            await exchange.sent()
        exchange.send("transcribe", **codec.job_head(job))
        while (frame := await exchange.receive()) is not None:
            yield frame.head["begun"], codec.heard_of(frame)


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
