"""A speech engine whose real-time factor is observed, sentence by sentence."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import perf_counter

from prometheus_client import Histogram

from models.base import Audio, SpeechJob
from voice.schedule import Synthesizer

_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
rtf = Histogram(
    "fireside_tts_rtf", "Real-time factor: a sentence's share of the engine's time, in seconds per second of its audio", buckets=_RATIOS
)


class MeasuredEngine:
    """The sentences inside it share its time, and each is charged its share: many at once do not make the engine look slow."""

    def __init__(self, engine: Synthesizer, clock: Callable[[], float] = perf_counter) -> None:
        self._engine = engine
        self._clock = clock
        self._inside = 0
        self._work = 0.0
        self._at = clock()

    @property
    def concurrency(self) -> int:
        return self._engine.concurrency

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        began, seconds = self._enter(1), 0.0
        try:
            async with aclosing(self._engine.synthesize(job)) as made:
                async for audio in made:
                    seconds += audio.seconds
                    yield audio
        finally:
            work = self._enter(-1) - began
        if seconds:
            rtf.observe(work / seconds)

    def _enter(self, jobs: int) -> float:
        """Seconds of work up to now for a job that has been inside from the first moment. Then so many more (or less) are inside."""
        now = self._clock()
        self._work += (now - self._at) / max(self._inside, 1)
        self._at = now
        self._inside += jobs
        return self._work
