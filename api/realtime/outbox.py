"""What goes out to one client: said at once and in order, sent as fast as the client reads."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import orjson
from starlette.websockets import WebSocket

MOST = 64
"""Events that may wait to be sent before whoever makes more of them waits, too."""
MOST_CHARACTERS = 1_000_000
"""Of their frames together: one that tells a session or an item may be as long by itself."""


def new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"


class Outbox:
    """Saying takes no time, so that several events are said with nothing in between. Who says much awaits `room` before."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self._characters = 0
        self._room = asyncio.Event()
        self._room.set()

    def say(self, kind: str, **fields: Any) -> None:
        frame = orjson.dumps({"type": kind, "event_id": new_id("event"), **fields}).decode()
        self._frames.put_nowait(frame)
        self._characters += len(frame)
        if not self._has_room():
            self._room.clear()

    async def room(self) -> None:
        await self._room.wait()

    async def send(self) -> None:
        """Until it is cancelled, or the client is gone: GONE."""
        while True:
            frame = await self._frames.get()
            try:
                await self._socket.send_text(frame)
            finally:
                self._frames.task_done()
            self._characters -= len(frame)
            if self._has_room():
                self._room.set()

    async def sent(self) -> None:
        """All that was said."""
        await self._frames.join()

    def _has_room(self) -> bool:
        return self._frames.qsize() < MOST and self._characters < MOST_CHARACTERS
