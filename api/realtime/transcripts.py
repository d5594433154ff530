"""What the user said, told to the client as it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from api import errors
from api.realtime.faults import described
from api.realtime.items import Entry
from api.realtime.outbox import Outbox
from api.realtime.writing import Writing
from api.streaming import cancel

_EVENT = "conversation.item.input_audio_transcription"


class Transcripts:
    """Of items that are in the conversation already. `done` hears of each whether there are words in it."""

    def __init__(self, outbox: Outbox, done: Callable[[bool], None]) -> None:
        self._outbox = outbox
        self._done = done
        self._tasks: dict[asyncio.Task[None], Writing] = {}

    def begin(self, entry: Entry, place: int, writing: Writing, *, told: bool) -> None:
        """`told`: the client wants transcripts. What fails it is told in any case."""
        task = asyncio.create_task(self._follow(entry, place, writing, told))
        self._tasks[task] = writing
        task.add_done_callback(self._tasks.pop)

    async def understood(self) -> None:
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def room(self, most: int) -> None:
        """Less than so many are being written down."""
        while len(self._tasks) >= most:
            await asyncio.wait(list(self._tasks), return_when=asyncio.FIRST_COMPLETED)

    def __len__(self) -> int:
        """That are being written down."""
        return len(self._tasks)

    def tasks(self) -> list[asyncio.Task[None]]:
        """All its work: that of one that was cancelled before it began, too."""
        return [*self._tasks, *(writing.task for writing in self._tasks.values())]

    async def _follow(self, entry: Entry, place: int, writing: Writing, told: bool) -> None:
        words = False
        try:
            where = {"item_id": entry.item.id, "content_index": place}
            await self._tell(where, writing, told)
            text = writing.text.strip()
            words = bool(text)
            entry.transcribed(place, text)
            if told:
                usage = {"type": "duration", "seconds": round(writing.seconds, 3)}
                self._outbox.say(f"{_EVENT}.completed", **where, transcript=text, usage=usage)
        except Exception as error:
            entry.transcribed(place, None)
            self._tell_failure(where, error, told)
        finally:
            await cancel(writing.task)
        self._done(words)

    async def _tell(self, where: dict[str, Any], writing: Writing, told: bool) -> None:
        async with aclosing(writing.pieces()) as pieces:
            async for piece in pieces:
                if told and piece:
                    self._outbox.say(f"{_EVENT}.delta", **where, delta=piece)

    def _tell_failure(self, where: dict[str, Any], error: Exception, told: bool) -> None:
        if told:
            how = errors.body(error)["error"]
            self._outbox.say(f"{_EVENT}.failed", **where, error=how)
        else:
            self._outbox.say("error", error=described(error))
