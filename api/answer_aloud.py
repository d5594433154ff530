"""A chat answer while it is written and spoken: two flows, and what comes of them in the order in which it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

from api.chat_stream import Delta
from api.sound import Sound, SoundEvent
from api.streaming import cancel

AHEAD = 8
"""Sounds that wait for a slow client before speech waits for it too. Text never waits: of that there is little."""
Item = Delta | Sound
Speak = Callable[[AsyncGenerator[str, None]], AsyncGenerator[SoundEvent, None]]


class _End(Enum):
    END = "end"


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


async def aloud(deltas: AsyncGenerator[Delta, None], speak: Speak) -> AsyncGenerator[Item, None]:
    """Each delta at once, and the sounds of what it says as they are made; closing it ends both. What either raises ends it too."""
    answer = _Answer()
    tasks = [asyncio.create_task(answer.write(deltas)), asyncio.create_task(answer.say(speak))]
    try:
        async with aclosing(answer.items()) as items:
            async for item in items:
                yield item
    finally:
        await cancel(*tasks)


class _Answer:
    def __init__(self) -> None:
        self._out: asyncio.Queue[Item | _Failure | _End] = asyncio.Queue()
        self._written: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(AHEAD)

    async def write(self, deltas: AsyncGenerator[Delta, None]) -> None:
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    self._out.put_nowait(delta)
                    if delta.text:
                        self._written.put_nowait(delta.text)
            self._written.put_nowait(None)
        except Exception as error:
            self._out.put_nowait(_Failure(error))

    async def say(self, speak: Speak) -> None:
        try:
            async with aclosing(speak(self._text())) as events:
                async for event in events:
                    if isinstance(event, Sound) and event.data:
                        await self._room.acquire()
                        self._out.put_nowait(event)
            self._out.put_nowait(_End.END)
        except Exception as error:
            self._out.put_nowait(_Failure(error))

    async def items(self) -> AsyncGenerator[Item, None]:
        while (item := await self._out.get()) is not _End.END:
            if isinstance(item, _Failure):
                raise item.error
            if isinstance(item, Sound):
                self._room.release()
            yield item

    async def _text(self) -> AsyncGenerator[str, None]:
        while (piece := await self._written.get()) is not None:
            yield piece
