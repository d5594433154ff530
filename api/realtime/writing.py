"""A piece of audio that is being written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from api import metrics
from api.realtime.answer import ROUTE
from models.base import LISTENING_RATE, Language, ListeningEngine, ListeningJob


class Writing:
    """It begins at once. `done` is called with its text, if there is one, and it is not dropped before."""

    def __init__(self, engine: ListeningEngine, job: ListeningJob, done: Callable[[Writing], None] | None = None) -> None:
        self.text = ""
        self.language = job.language
        self.seconds = len(job.samples) / LISTENING_RATE
        self._done = done
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.task = asyncio.create_task(self._write(engine, job))
        self.task.add_done_callback(_seen)

    async def pieces(self) -> AsyncGenerator[str, None]:
        """As they are found, from the first on. Raises what became of it."""
        while (piece := await self._pieces.get()) is not None:
            yield piece
        await self.task

    async def _write(self, engine: ListeningEngine, job: ListeningJob) -> None:
        try:
            with metrics.heard("transcript", ROUTE) as entry:
                entry.model = engine.model
                await self._find(engine, job)
                metrics.hear(ROUTE, self.seconds)
        finally:
            self._pieces.put_nowait(None)
        if self._done:
            self._done(self)

    async def _find(self, engine: ListeningEngine, job: ListeningJob) -> None:
        async with aclosing(engine.transcribe(job)) as found:
            async for piece in found:
                if isinstance(piece, Language):
                    self.language = piece.code
                else:
                    self.text += piece.text
                    self._pieces.put_nowait(piece.text)


def _seen(task: asyncio.Task[None]) -> None:
    """Of a guess that nobody needed in the end nobody asks what became of it."""
    if not task.cancelled():
        task.exception()
