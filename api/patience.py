"""How long the work of an engine is waited for: between its pieces and, of text, in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from time import perf_counter
from types import TracebackType
from typing import TypeVar

from api.metrics import TextTimeline
from models.errors import EngineTimeout
from settings.limits import Limits

Piece = TypeVar("Piece")


class Patience:
    """Looks at the timeline now and then: on the way of a piece it costs nothing. A client that is slow to read is none of its matters."""

    def __init__(self, timeline: TextTimeline, limits: Limits) -> None:
        self._timeline = timeline
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._since = 0.0
        self._silent = False
        self._deadline = asyncio.timeout(limits.total_timeout)

    def __enter__(self) -> Patience:
        self._again()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._next.cancel()

    async def over(self, work: Awaitable[None]) -> None:
        """Await it, or raise EngineTimeout."""
        try:
            async with self._deadline:
                await work
        except TimeoutError:
            if not self._deadline.expired():
                raise
            raise _too_slow(self._silent, self._limits) from None

    def _again(self) -> None:
        self._next = self._loop.call_later(self._limits.token_timeout / 4, self._look)

    def _look(self) -> None:
        now = perf_counter()
        if self._timeline.sending:
            self._since = now
        if self._timeline.items and now - max(self._since, self._timeline.last) > self._limits.token_timeout:
            self._silent = True
            self._deadline.reschedule(self._loop.time())
        else:
            self._again()


def _too_slow(silent: bool, limits: Limits) -> EngineTimeout:
    limit = "token_timeout" if silent else "total_timeout"
    what = "no more of the text came" if silent else "the text was not complete"
    return EngineTimeout(f"{what} within {getattr(limits, limit):g} s (limits.{limit}): send it again, or ask for less.")


async def in_time(pieces: AsyncGenerator[Piece, None], limits: Limits) -> AsyncGenerator[Piece, None]:
    """Raises EngineTimeout, as Patience does. What whoever reads them takes for it does not count."""
    left, longest = limits.total_timeout, limits.total_timeout
    while True:
        began = perf_counter()
        try:
            async with asyncio.timeout(min(left, longest)) as limit:
                piece = await anext(pieces, None)
        except TimeoutError:
            if not limit.expired():
                raise
            raise _too_slow(longest < left, limits) from None
        if piece is None:
            return
        left, longest = left - (perf_counter() - began), limits.token_timeout
        yield piece
