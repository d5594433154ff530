"""How long the work of an engine is waited for: between its pieces and, of text, in all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterator, MutableMapping
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar

from api.metrics import TextTimeline
from models import work
from models.base import Receive
from models.errors import EngineTimeout
from settings.limits import Limits

Piece = TypeVar("Piece")

log = logging.getLogger(__name__)

HEEDED = 5.0
"""Seconds that an app has to end once it has heard that nobody waits for it."""


class Patience:
    """Between the engine's app and a client. That the client is slow to read is no silence of the engine, but takes of the whole time; nor
    is it one that tokens are made and not sent, as of thoughts that nobody asked for, or of a call whose end its parser waits for.

    It looks at the timeline now and then: on the way of a piece it costs nothing. An app that is too slow hears, by `receive`, that its
    client has left: vLLM's, cancelled, goes on with an answer that is not streamed.
    """

    def __init__(self, receive: Receive, timeline: TextTimeline, limits: Limits) -> None:
        self._receive = receive
        self._timeline = timeline
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._since = 0.0
        self._work, self._made = work.current(), 0
        self._error: EngineTimeout | None = None
        self._listening: set[asyncio.Timeout] = set()
        self._end = asyncio.timeout(None)

    def __enter__(self) -> Patience:
        self._last = self._loop.call_later(self._limits.total_timeout, self._stop, False)
        self._again()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._next.cancel()
        self._last.cancel()

    async def receive(self) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(0 if self._error else None) as listening:
                self._listening.add(listening)
                try:
                    message = await self._receive()
                finally:
                    self._listening.remove(listening)
        except TimeoutError:
            if not listening.expired():
                raise
            return {"type": "http.disconnect"}
        if message["type"] == "http.disconnect":
            self._timeline.over = not self._timeline.finished
        return message

    async def over(self, work: Awaitable[None]) -> None:
        """Await it, or raise EngineTimeout."""
        try:
            async with self._end:
                await work
        except Exception:
            if not self._timeline.over:
                raise
            if not self._end.expired():
                log.warning("an app failed after nobody waited for it", exc_info=True)
        if self._error is not None:
            raise self._error

    def _stop(self, silent: bool) -> None:
        if self._timeline.finished or self._end.when() is not None:
            return
        if not self._timeline.over:
            self._timeline.over, self._error = True, _too_slow(silent, self._limits)
        for listening in self._listening:
            listening.reschedule(self._loop.time())
        self._end.reschedule(self._loop.time() + HEEDED)

    def _again(self) -> None:
        self._next = self._loop.call_later(self._limits.token_timeout / 4, self._look)

    def _look(self) -> None:
        now, made = perf_counter(), self._work.made()
        if self._timeline.sending or made != self._made:
            self._since, self._made = now, made
        if self._timeline.items and now - max(self._since, self._timeline.last) > self._limits.token_timeout:
            self._stop(True)
        else:
            self._again()


def _too_slow(silent: bool, limits: Limits) -> EngineTimeout:
    limit = "token_timeout" if silent else "total_timeout"
    what = "no more of the text came" if silent else "the text was not complete"
    return EngineTimeout(f"{what} within {getattr(limits, limit):g} s (limits.{limit}): send it again, or ask for less.")


async def in_time(pieces: AsyncGenerator[Piece, None], limits: Limits) -> AsyncGenerator[Piece, None]:
    """Raises EngineTimeout, as Patience does. What whoever reads them takes for it does not count."""
    left, longest = limits.total_timeout, limits.total_timeout
    loop = asyncio.get_running_loop()
    while True:
        end = (began := loop.time()) + left
        try:
            async with asyncio.timeout_at(min(end, began + longest)) as limit:
                with _prolonged(limit, longest, end):
                    piece = await anext(pieces, None)
        except TimeoutError:
            if not limit.expired():
                raise
            raise _too_slow((limit.when() or end) < end, limits) from None
        if piece is None:
            return
        left, longest = left - (loop.time() - began), limits.token_timeout
        yield piece


@contextmanager
def _prolonged(limit: asyncio.Timeout, longest: float, end: float) -> Iterator[None]:
    """By the tokens that are made meanwhile."""
    loop, told = asyncio.get_running_loop(), work.current()
    made, each = told.made(), longest / 4
    looking = loop.call_later(each, lambda: look())

    def look() -> None:
        nonlocal made, looking
        if (now := told.made()) != made and not limit.expired():
            made = now
            limit.reschedule(min(end, loop.time() + longest))
        looking = loop.call_later(each, look)

    try:
        yield
    finally:
        looking.cancel()
