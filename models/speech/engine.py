"""The SpeechEngine of every renderer: mock and Coqui run behind the same worker process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from models.base import Audio, Load, SpeechJob, Voice
from models.engine import WorkerEngine
from models.errors import UnknownVoice
from models.process import Kind
from models.speech import codec

_PROBE = "Hello."
_LATER = 60.0
"""Seconds after which a probe is to be heard: nobody waits for it, and it goes behind whoever is waited for."""


class WorkerSpeechEngine(WorkerEngine):
    """Audio that waits for a slow consumer is at most that of the sentences it has in the engine."""

    kind = Kind("speech", "models.speech.worker")

    def __init__(
        self,
        name: str,
        renderer: str,
        config: dict[str, Any] | Callable[[], dict[str, Any]],
        start_timeout: float = 300,
        concurrency: int = 2,
        env: dict[str, str] | None = None,
        *,
        step_timeout: float = 600,
    ) -> None:
        super().__init__(name, renderer, config, start_timeout, env, step_timeout=step_timeout)
        self.concurrency = concurrency
        self._voices: tuple[Voice, ...] = ()

    async def start(self) -> None:
        await super().start()
        self._voices = codec.voices_of(self._ready())

    def load(self) -> Load:
        jobs = self._worker.jobs if self._worker is not None else 0
        return Load(running=min(jobs, 1), waiting=max(0, jobs - 1))

    def voices(self) -> tuple[Voice, ...]:
        return self._voices if self._worker is not None else ()

    async def probe(self) -> None:
        job = SpeechJob("probe", 0, _PROBE, self._voices[0].id, plays_at=time.monotonic() + _LATER)
        async for _ in self._made(job, probe=True):
            pass

    def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        return self._made(job)

    async def _made(self, job: SpeechJob, *, probe: bool = False) -> AsyncGenerator[Audio, None]:
        worker = self._alive()
        if job.voice not in {voice.id for voice in self._voices}:
            raise UnknownVoice(f"no voice {job.voice!r}: there are {_some(self._voices)}", param="voice")
        async with contextlib.aclosing(worker.job("render", codec.job_head(job), probe=probe)) as frames:
            async for frame in frames:
                yield codec.audio_of(frame)


def _some(voices: tuple[Voice, ...], most: int = 20) -> str:
    shown = ", ".join(voice.id for voice in voices[:most])
    return shown if len(voices) <= most else f"{shown} and {len(voices) - most} more"
