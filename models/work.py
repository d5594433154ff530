"""What one request is to the engines, as they know it themselves: its tokens, and when it waited and was worked on in each of them.

Whoever wants to know puts a Work around the request (`around`); engines and queues find it by `current`, wherever they are, and tell it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stage:
    """In one engine, by time.monotonic(), which is time.perf_counter() too on Linux: asked, begun after its wait in the queue, ended."""

    asked: float
    begun: float
    ended: float = 0.0


@dataclass(eq=False)
class Work:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    stages: dict[str, Stage] = field(default_factory=dict)
    """By the engine's kind: text, speech, listening."""
    _asked: dict[str, float] = field(default_factory=dict)
    _later: list[Callable[[Work], None]] = field(default_factory=list)
    _making: list[Callable[[], int]] = field(default_factory=list)

    def asked(self, kind: str, at: float) -> None:
        """It waits in front of the engine, which knows nothing of it yet."""
        self._asked.setdefault(kind, at)

    def begun(self, kind: str, asked: float, begun: float) -> None:
        """Only the first time: what is made ahead later, a second sentence, waits because it may."""
        self.stages.setdefault(kind, Stage(self._asked.pop(kind, asked), begun))

    def ended(self, kind: str, at: float) -> None:
        if stage := self.stages.get(kind):
            stage.ended = max(stage.ended, at)

    def later(self, tell: Callable[[Work], None]) -> None:
        """Called once, at the end of the request: for an engine that keeps books of its own, so that no token costs anything here."""
        self._later.append(tell)

    def making(self, tokens: Callable[[], int]) -> None:
        """An engine at work on it tells how many tokens it has made so far, whether they are sent or not."""
        self._making.append(tokens)

    def made(self) -> int:
        """Tokens, so far. As long as they grow in number, no engine hangs on it."""
        return sum(tokens() for tokens in self._making)

    def settle(self) -> None:
        """All is over: have everything told. What still waited has waited until now."""
        told, self._later = self._later, []
        for tell in told:
            tell(self)
        now = time.monotonic()
        for kind in tuple(self._asked):
            self.begun(kind, now, now)


_current: ContextVar[Work | None] = ContextVar("work", default=None)


def current() -> Work:
    """Of the request that is being worked on here; one that nobody reads where there is none."""
    return _current.get() or Work()


def known() -> Work | None:
    return _current.get()


@contextmanager
def around(work: Work) -> Iterator[None]:
    """Here, and in the tasks that are begun here."""
    token = _current.set(work)
    try:
        yield
    finally:
        _current.reset(token)
