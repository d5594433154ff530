"""What only a worker's process itself can tell: that one of its threads hangs in a library while others go on, which the server sees, and
takes for a sign of life (models/probe.py); and that it rests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LOOKS = 20
"""In the time that a step has. Looks are counted, not seconds: a process that was stopped meanwhile does not hang."""


@dataclass(eq=False, slots=True)
class _Step:
    looks: int = 0
    """That have found it under way."""


class Steps:
    """What the threads of a worker do for a job at one go, before they look for what is next. Each may take `timeout` seconds."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._taken: dict[int, _Step] = {}
        """By thread."""
        self._new = self._old = False
        """Whether one was begun since the last look at the rest, and whether before it."""

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Around one, on the thread that takes it."""
        thread = threading.get_ident()
        self._taken[thread] = _Step()
        self._new = True
        try:
            yield
        finally:
            del self._taken[thread]

    def again(self) -> None:
        """The step of this thread is one of several in a row that nobody else sees: the next begins."""
        thread = threading.get_ident()
        if thread in self._taken:
            self._taken[thread] = _Step()

    def watch(self, sleep: Callable[[float], object] = time.sleep) -> None:
        """Return once a step takes too long."""
        while not self._hang():
            sleep(self.timeout / _LOOKS)

    def rested(self) -> bool:
        """Once after some work: that since the last call there was none."""
        if self._taken or self._new:
            self._new, self._old = False, True
            return False
        rests, self._old = self._old, False
        return rests

    def _hang(self) -> bool:
        steps = tuple(self._taken.copy().values())
        for step in steps:
            step.looks += 1
        return any(step.looks > _LOOKS for step in steps)
