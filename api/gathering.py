"""Events of a stream that come faster than anybody reads leave together: what carries an event costs more than the event."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from time import monotonic
from typing import Any

from models.base import Send

PACE = 0.002
"""Seconds between two that leave: a stream of fewer than 500 tokens a second never waits."""
LATEST = 2 * PACE
"""Seconds that the last of a burst waits for one more."""
AT_ONCE = 8
"""Parts of a body that leave as they come, whatever their pace: the first tokens are waited for."""
MOST = 8 << 10
"""Bytes that are held."""


class Gathering:
    """An ASGI `send` of one response. What it is given leaves in the same order, at most LATEST later, and nothing is held at the end.

    Close it when nothing more will come.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0
        self._left = AT_ONCE
        self._sent = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message["body"]
        self._held.append(body)
        self._size += len(body)
        if not message.get("more_body"):
            await self._out(more=False)
        elif self._left > 0 or self._size > MOST or monotonic() - self._sent >= PACE:
            self._left -= 1
            await self._out()
        elif self._timer is None:
            self._timer = self._loop.call_later(LATEST, self._due)

    def close(self) -> None:
        for waiting in (self._timer, self._late):
            if waiting is not None:
                waiting.cancel()

    async def _out(self, *, more: bool = True) -> None:
        """Whoever makes more waits here for a client that is slow to read."""
        if self._late is not None:
            late, self._late = self._late, None
            await late
        await self._leave(more)

    async def _leave(self, more: bool) -> None:
        body, self._held, self._size = b"".join(self._held), [], 0
        self._sent = monotonic()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _due(self) -> None:
        self._timer = None
        if not self._held:
            return
        busy = self._late is not None and not self._late.done()
        if busy or monotonic() - self._sent < PACE:  # others have left since
            self._timer = self._loop.call_later(PACE, self._due)
        else:
            self._late = self._loop.create_task(self._leave(True))
