"""Run a client in a process of its own, so that it costs the server's event loop nothing and its own figures are its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError, Event
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
SPAWN = multiprocessing.get_context("spawn")
LONGEST = 600.0
"""Seconds that one side waits for the other to warm up."""


class OtherFailed(Exception):
    """The other of two sides ended before both were warm."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two clients that are measured at once: both begin when both are warm, and each keeps its load up until the other is done.

    Without arguments there is no other.
    """

    both: Barrier | None = None
    mine: Event | None = None
    other: Event | None = None

    def begin(self) -> None:
        try:
            if self.both:
                self.both.wait(LONGEST)
        except BrokenBarrierError as error:
            raise OtherFailed("the other side ended before both were warm") from error

    def done(self) -> None:
        if self.mine:
            self.mine.set()

    def goes_on(self) -> bool:
        """Whether the other still needs this side's load."""
        return self.other is not None and not self.other.is_set()

    def end(self) -> None:
        """Whatever happened: the other waits for nobody."""
        self.done()
        if self.both:
            self.both.abort()


def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work` must be importable by name; its result is pickled back, its exception raised here."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(work, *args, **kwargs).result()


def beside(side: Side | None, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """`apart`, as one of two sides. Its end is told from here, as a process that is killed tells nobody."""
    side = side or Side()
    try:
        return apart(work, *args, **kwargs, side=side)
    finally:
        side.end()


@contextmanager
def sides() -> Iterator[tuple[Side, Side]]:
    """For two calls of `beside` at the same time."""
    with SPAWN.Manager() as manager:
        both, one, other = manager.Barrier(2), manager.Event(), manager.Event()
        yield Side(both, one, other), Side(both, other, one)
