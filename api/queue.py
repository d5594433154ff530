"""So many requests in the text engine at once; more wait here, where their order can still change, and not for ever."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from models import work
from models.errors import Overloaded

LONGEST_RETRY = 60
_numbers = count()


@dataclass(eq=False)
class _Waiter:
    priority: int
    turn: asyncio.Future[None]
    number: int = field(default_factory=lambda: next(_numbers))

    def order(self) -> tuple[int, int]:
        return -self.priority, self.number


class Queue:
    """`most` at once; `max_waiting` more for at most `patience` seconds each, a higher priority first, and then who came first.

    Of too many the last in order is refused, be it the newcomer or one that waits.
    """

    def __init__(self, most: int, max_waiting: int, patience: float, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.max_waiting = max_waiting
        self.patience = patience
        self.what = what
        self.running = 0
        self._clock = clock
        self._waiting: list[_Waiter] = []
        self._seconds = 1.0
        """That one is inside, on average."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def free(self) -> bool:
        """Nobody who comes now would wait."""
        return self.running < self.most

    @asynccontextmanager
    async def turn(self, priority: int = 0) -> AsyncGenerator[None, None]:
        """Wait for a place, and have it. Raises Overloaded, with the seconds after which there may be room."""
        if self.free:
            self.running += 1
        else:
            await self._wait(priority)
        began = self._clock()
        try:
            yield
        finally:
            self._seconds += 0.1 * (self._clock() - began - self._seconds)
            self._leave()

    async def _wait(self, priority: int) -> None:
        work.current().asked("text", self._clock())
        waiter = _Waiter(priority, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if len(self._waiting) > self.max_waiting:
            self._refuse(max(self._waiting, key=_Waiter.order), f"{self.max_waiting} {self.what} wait already, which is the limit")
        try:
            async with asyncio.timeout(self.patience):
                await waiter.turn
        except TimeoutError:
            self._give_up(waiter)
            raise self._overloaded(f"no place became free within {self.patience:g} s") from None
        except BaseException:
            self._give_up(waiter)
            raise

    def _give_up(self, waiter: _Waiter) -> None:
        """It may have got its place in the same moment."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
            self._leave()

    def _leave(self) -> None:
        self.running -= 1
        while self._waiting and self.free:
            first = min(self._waiting, key=_Waiter.order)
            self._waiting.remove(first)
            if not first.turn.done():
                self.running += 1
                first.turn.set_result(None)

    def _refuse(self, waiter: _Waiter, why: str) -> None:
        self._waiting.remove(waiter)
        if not waiter.turn.done():
            waiter.turn.set_exception(self._overloaded(why))

    def _overloaded(self, why: str) -> Overloaded:
        seconds = min(max(math.ceil(self._seconds * (self.waiting + 1) / self.most), 1), LONGEST_RETRY)
        return Overloaded(f"{why}: try again in {seconds} s.", retry_after=seconds)
