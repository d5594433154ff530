"""Events of a stream that come faster than anybody reads leave together: what carries an event costs more than the event."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any, ClassVar

from models.base import Send

PACE = 0.002
"""Seconds between two parts that leave: a stream of fewer than 500 tokens a second never waits, unless many run."""
SHARE = 0.00016
"""Seconds for each stream that runs, where that is slower: all together send some 6,000 parts a second, what takes a tenth of a core."""
SLOWEST = 0.01
"""Seconds: a stream of fewer than 100 tokens a second never waits, however many run."""
LATEST = 2
"""Times its pace that the last of a burst waits for one more."""
AT_ONCE = 8
"""Parts of a body that leave as they come, whatever their pace: the first tokens are waited for."""
MOST = 8 << 10
"""Bytes that are held."""


class Gathering:
    """An ASGI `send` of one response. What it is given leaves in the same order, a few milliseconds later, and nothing is held at the end.

    Close it when nothing more will come.
    """

    running: ClassVar[set[Gathering]] = set()
    """All whose first parts have left, and that are not closed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0
        self._left = AT_ONCE
        self._sent = 0.0
        self._pace = PACE
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
        elif not (more := message.get("more_body", False)) or not self.holds(message["body"], perf_counter()):
            self._held.append(message["body"])
            await self._out(more)

    def holds(self, body: bytes, now: float) -> bool:
        """Whether this part can wait, at this time of perf_counter: then it is held. Who is told that it cannot sends it."""
        if self._left or self._size > MOST or now - self._sent >= self._pace:
            return False
        self._held.append(body)
        self._size += len(body)
        if self._timer is None:
            self._timer = self._loop.call_later(LATEST * self._pace, self._due)
        return True

    def close(self) -> None:
        self.running.discard(self)
        for waiting in (self._timer, self._late):
            if waiting is not None:
                waiting.cancel()

    async def _out(self, more: bool) -> None:
        """Whoever makes more waits here for a client that is slow to read."""
        if self._left:
            self._left -= 1
            if not self._left:
                self.running.add(self)
        if self._late is not None:
            late, self._late = self._late, None
            await late
        await self._leave(more)

    async def _leave(self, more: bool) -> None:
        body, self._held, self._size = b"".join(self._held), [], 0
        self._sent = perf_counter()
        self._pace = min(max(PACE, SHARE * len(self.running)), SLOWEST)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _due(self) -> None:
        self._timer = None
        if not self._held:
            return
        busy = self._late is not None and not self._late.done()
        if busy or perf_counter() - self._sent < self._pace:  # others have left since
            self._timer = self._loop.call_later(self._pace, self._due)
        else:
            self._late = self._loop.create_task(self._leave(True))
