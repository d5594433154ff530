"""Whose window is made next, as a plain data structure that several threads share: no renderer's insides, and a clock that is given.

The rule is that of voice/order.py, at the level of windows: the earliest due time first. The first window of a client that hears nothing
yet was due when its job arrived; any other one is due when the audio before it has been played, plus PATIENCE.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from models.base import Audio, Room, SpeechJob

PATIENCE = 10.0
"""Seconds that puts first sounds before all others, but not for ever: who has been dry for so long goes before who arrives now."""


@dataclass(eq=False, slots=True)
class Rendering:
    """A job that was asked for and has not ended. `due` is the time of its next window; it is `taken` while a thread makes that."""

    id: int
    job: SpeechJob
    cancelled: threading.Event = field(default_factory=threading.Event)
    stream: Iterator[Audio] | None = None
    due: float = 0.0
    dry_at: float | None = None
    silent: int = 0
    taken: bool = False
    begun: bool = False

    def arrive(self, now: float) -> None:
        self.due = now if self.job.plays_at is None else self.job.plays_at + PATIENCE

    def sounded(self, seconds: float, now: float) -> None:
        """Audio has been made; it plays after what its owner has, or at once if that is over."""
        if self.dry_at is None:
            self.dry_at = now if self.job.plays_at is None else self.job.plays_at
        self.dry_at = max(self.dry_at, now) + seconds
        self.due = self.dry_at + PATIENCE

    def was_silent(self, now: float) -> None:
        """A window without audio: one may be the silence before the first sound, more must not keep others waiting."""
        self.due = max(self.due, now + self.silent * PATIENCE)
        self.silent += 1


class Turns:
    """The jobs inside the worker. One that finds no place in its `room` is passed over until another one ends."""

    def __init__(self, room: Callable[[SpeechJob], Room | None] = lambda job: None, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._clock = clock
        self._all: dict[int, Rendering] = {}
        self._changed = threading.Condition()

    def add(self, rendering: Rendering) -> None:
        with self._changed:
            rendering.arrive(self._clock())
            self._all[rendering.id] = rendering
            self._changed.notify()

    def cancel(self, job_id: int) -> None:
        """It is next, so that what it holds is free at once."""
        with self._changed:
            if rendering := self._all.get(job_id):
                rendering.cancelled.set()
                rendering.due = -math.inf
                self._changed.notify()

    def next(self) -> Rendering:
        """Wait for work and take the most urgent job; `give_back` or `remove` it."""
        with self._changed:
            while (rendering := self._most_urgent()) is None:
                self._changed.wait()
            rendering.taken = rendering.begun = True
            return rendering

    def give_back(self, rendering: Rendering, seconds: float) -> None:
        """A window of so many seconds has been made."""
        with self._changed:
            rendering.taken = False
            self._move_on(rendering, seconds)
            self._changed.notify()

    def remove(self, rendering: Rendering) -> None:
        with self._changed:
            del self._all[rendering.id]
            self._changed.notify_all()  # there may be room now for any of those who wait for it

    def _move_on(self, rendering: Rendering, seconds: float) -> None:
        if rendering.cancelled.is_set():
            rendering.due = -math.inf
        elif seconds:
            rendering.sounded(seconds, self._clock())
        else:
            rendering.was_silent(self._clock())

    def _most_urgent(self) -> Rendering | None:
        free = (rendering for rendering in self._all.values() if not rendering.taken)
        in_order = sorted(free, key=lambda rendering: (rendering.due, rendering.id))
        return next((rendering for rendering in in_order if rendering.begun or self._has_place(rendering)), None)

    def _has_place(self, rendering: Rendering) -> bool:
        room = self._room(rendering.job)
        if room is None or rendering.cancelled.is_set():
            return True
        inside = sum(other.begun and self._room(other.job) == room for other in self._all.values())
        return inside < room.places
