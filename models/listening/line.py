"""Whose audio is listened to next: a plain data structure that several threads share.

Who waits in a conversation goes before files. Files take turns, item by item, so that a short one does not wait for an hour's recording.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from models.base import Heard, ListeningJob


@dataclass(eq=False, slots=True)
class Listening:
    """A job that was asked for and has not ended; it is `taken` while a thread has it."""

    id: int
    job: ListeningJob
    cancelled: threading.Event = field(default_factory=threading.Event)
    stream: Iterator[Heard | None] | None = None
    turn: int = 0
    taken: bool = False
    begun: float = 0.0
    """By time.monotonic(), which a machine's processes share."""

    def order(self) -> tuple[bool, bool, int, int]:
        """One that was given up comes first, so that what it holds is free at once."""
        return not self.cancelled.is_set(), not self.job.urgent, -self.job.priority, self.turn


class Line:
    def __init__(self) -> None:
        self._turns = count()
        self._all: dict[int, Listening] = {}
        self._changed = threading.Condition()

    def add(self, listening: Listening) -> None:
        with self._changed:
            listening.turn = next(self._turns)
            self._all[listening.id] = listening
            self._changed.notify_all()  # not one of them: it may be a thread that takes urgent jobs only

    def cancel(self, job_id: int) -> None:
        with self._changed:
            if listening := self._all.get(job_id):
                listening.cancelled.set()
                self._changed.notify_all()

    def next(self, urgent: bool = False) -> Listening:
        """Wait for work and take the first job, or the first `urgent` one; `give_back` or `remove` it."""
        with self._changed:
            while (listening := self._first(urgent)) is None:
                self._changed.wait()
            listening.taken = True
            return listening

    def give_back(self, listening: Listening) -> None:
        with self._changed:
            listening.taken, listening.turn = False, next(self._turns)
            self._changed.notify_all()

    def remove(self, listening: Listening) -> None:
        with self._changed:
            del self._all[listening.id]

    def _first(self, urgent: bool) -> Listening | None:
        free = [listening for listening in self._all.values() if not listening.taken and (listening.job.urgent or not urgent)]
        return min(free, key=Listening.order, default=None)
