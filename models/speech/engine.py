"""The SpeechEngine of every renderer: mock and Coqui run behind the same worker process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

from models.base import Audio, Load, SpeechJob, Voice
from models.errors import NotReady, UnknownVoice
from models.process import Ready, WorkerProcess


class WorkerSpeechEngine:
    """`renderer` is `package.module:Class`, called in the worker with `config`: JSON values only, or who gives them at each start.
    `start_timeout` in seconds.

    `died` returns when the worker process ends; who restarts it calls `stop` and `start`. Jobs in it get EngineDied, those that
    come meanwhile NotReady. Audio that waits for a slow consumer is at most that of the sentences it has in the engine.
    """

    def __init__(
        self,
        name: str,
        renderer: str,
        config: dict[str, Any] | Callable[[], dict[str, Any]],
        start_timeout: float = 300,
        concurrency: int = 2,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.concurrency = concurrency
        self._renderer = renderer
        self._config = config
        self._start_timeout = start_timeout
        self._env = env or {}
        self._worker: WorkerProcess | None = None

    async def start(self) -> None:
        await self.stop()
        config = await asyncio.to_thread(self._config) if callable(self._config) else self._config
        self._worker = await WorkerProcess.start(self._renderer, config, self._start_timeout, self._env)

    async def stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def died(self) -> str:
        worker = self._worker
        why = await worker.died() if worker is not None else ""
        if worker is None or worker is not self._worker:
            await asyncio.Event().wait()  # stopped, not dead
        return why

    def load(self) -> Load:
        jobs = self._worker.jobs if self._worker is not None else 0
        return Load(running=min(jobs, 1), waiting=max(0, jobs - 1))

    def voices(self) -> tuple[Voice, ...]:
        ready = self._ready()
        return ready.voices if ready is not None else ()

    @property
    def pid(self) -> int | None:
        """Of the worker process; None while there is none."""
        return self._worker.pid if self._worker is not None else None

    @property
    def device(self) -> str:
        """Where it runs, in words; empty before it is ready."""
        ready = self._ready()
        return ready.device if ready is not None else ""

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        worker = self._worker
        if worker is None or not worker.alive:
            raise NotReady(f"the speech engine {self.name!r} is starting or being restarted: try again in a few seconds")
        if job.voice not in {voice.id for voice in worker.ready.voices}:
            raise UnknownVoice(f"no voice {job.voice!r}: there are {_some(worker.ready.voices)}", param="voice")
        async with contextlib.aclosing(worker.render(job)) as stream:
            async for audio in stream:
                yield audio

    def _ready(self) -> Ready | None:
        return self._worker.ready if self._worker is not None else None


def _some(voices: tuple[Voice, ...], most: int = 20) -> str:
    shown = ", ".join(voice.id for voice in voices[:most])
    return shown if len(voices) <= most else f"{shown} and {len(voices) - most} more"
