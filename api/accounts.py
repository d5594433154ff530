"""What each key's holder has running, and has asked for in the last minute."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

from api.keys import Holder, holder_of
from models import work
from models.base import Scope
from models.errors import RateLimited

STEP = 1.0
"""Seconds by which a clock that is set differs from one that runs a little fast."""


class Accounts:
    def __init__(self) -> None:
        self._storage = storage = MemoryStorage()
        self._day = _day()
        # What was spent is known when it is over, and may be more than was left: only this kind of window counts that.
        self._tokens = FixedWindowRateLimiter(storage)
        self._requests = MovingWindowRateLimiter(storage)
        self._running: Counter[str] = Counter()

    @contextmanager
    def entering(self, holder: Holder) -> Iterator[None]:
        """One request, or one utterance or answer of a socket. Raises RateLimited where the key's limits leave no room for it."""
        self._check(holder)
        self._running[holder.name] += 1
        try:
            yield
        finally:
            self._running[holder.name] -= 1
            if not self._running[holder.name]:  # of a key that is gone nothing is kept
                del self._running[holder.name]
            spent = work.current()
            spent.settle()
            self._spend(holder, spent.prompt_tokens + spent.completion_tokens)

    def _spend(self, holder: Holder, tokens: int) -> None:
        if tokens > 0 and (most := holder.key.tokens_per_minute):
            self._tokens.hit(RateLimitItemPerMinute(most), "tokens", holder.name, cost=tokens)

    def _check(self, holder: Holder) -> None:
        key, name = holder.key, holder.name
        self._follow_the_clock()
        if key.concurrency and self._running[name] >= key.concurrency:
            raise RateLimited(f"the key {name!r} has {key.concurrency} requests running, all that it may: wait for one.", retry_after=1)
        if (most := key.tokens_per_minute) and not self._tokens.test(item := RateLimitItemPerMinute(most), "tokens", name):
            raise _refusal(self._tokens, item, "tokens", name)
        if (most := key.requests_per_minute) and not self._requests.hit(item := RateLimitItemPerMinute(most), "requests", name):
            raise _refusal(self._requests, item, "requests", name)

    def _follow_the_clock(self) -> None:
        """`limits` goes by the clock of the day. Where that is set back, its windows would be shut for as long: they begin anew."""
        day = _day()
        if abs(day - self._day) > STEP:
            self._storage.reset()
        self._day = day


def _day() -> float:
    """What changes only where the clock of the day is set, or the machine sleeps."""
    return time.time() - time.monotonic()


def _refusal(window: RateLimiter, item: RateLimitItem, what: str, name: str) -> RateLimited:
    seconds = max(1, math.ceil(window.get_window_stats(item, what, name).reset_time - time.time()))
    return RateLimited(f"the key {name!r} may have {item.amount} {what} a minute, and has had them: wait {seconds} s.", retry_after=seconds)


ENTER = "fireside.enter"
Enter = Callable[[], AbstractContextManager[None]]


def entering(scope: Scope) -> AbstractContextManager[None]:
    """On a socket: one utterance or answer of whoever has opened it."""
    enter: Enter = scope.get(ENTER, nullcontext)
    return enter()


def priority(scope: Scope) -> int:
    """Of whoever asks."""
    return holder_of(scope).key.priority
