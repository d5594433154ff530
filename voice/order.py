"""Which sentence goes next, as a plain data structure: no engine, no event loop, and a clock that is given.

Every client must hear something soon, and no client may run dry. Both are one rule, the earliest due time first:
a first sentence was due when it arrived; a later one is due when the audio before it has been played, plus PATIENCE.
The patience puts first sentences before all others, but not for ever: who has been dry for PATIENCE seconds goes before who arrives now,
so nobody starves under a stream of newcomers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count

from models.base import SpeechJob
from models.errors import InvalidInput, Overloaded
from models.turns import PATIENCE

CHARACTERS_PER_SECOND = 15.0
"""English read aloud; only used to guess how long a sentence that is not made yet will play."""
LONGEST_RETRY = 60


class State(Enum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


@dataclass(eq=False, slots=True)
class Ticket:
    """One job's place. `made` is the seconds of audio made so far, `counted` those that its owner can already play."""

    job: SpeechJob
    arrived: float
    number: int
    state: State = State.QUEUED
    started: float = 0.0
    made: float = 0.0
    counted: float = 0.0

    def remaining(self) -> float:
        """Seconds of audio that its owner will still get from it: known once done, guessed before."""
        if self.state is State.DONE:
            return self.made - self.counted
        guess = len(self.job.text) / (CHARACTERS_PER_SECOND * self.job.speed)
        return max(guess, self.made) - self.counted


@dataclass(eq=False, slots=True)
class Owner:
    """What one client is owed. `dry_at` is when the audio it has runs out if it plays from the first piece on; None before that piece."""

    arrived: float
    dry_at: float | None = None
    tickets: dict[int, Ticket] = field(default_factory=dict)
    holds: int = 0

    def first_queued(self) -> Ticket | None:
        queued = (index for index, ticket in self.tickets.items() if ticket.state is State.QUEUED)
        index = min(queued, default=None)
        return None if index is None else self.tickets[index]

    def waits(self) -> bool:
        """Nothing heard and nothing being made."""
        return self.dry_at is None and all(ticket.state is State.QUEUED for ticket in self.tickets.values())

    def due(self, ticket: Ticket) -> float:
        at = self.plays_at(ticket)
        return (ticket.arrived if at is None else at + PATIENCE) - ticket.job.priority

    def plays_at(self, ticket: Ticket) -> float | None:
        """When all audio before it will have been played; None if it is the first that is heard."""
        earlier = [other for index, other in self.tickets.items() if index < ticket.job.index]
        if self.dry_at is None and not earlier:
            return None
        start = self.arrived if self.dry_at is None else self.dry_at
        return start + sum(other.remaining() for other in earlier)

    def play(self, now: float) -> None:
        """Count what can be played: audio made ahead of an unfinished sentence waits for it. Having run dry shifts all the rest."""
        for index in sorted(self.tickets):
            ticket = self.tickets[index]
            if ticket.made > ticket.counted:
                heard_until = now if self.dry_at is None else max(self.dry_at, now)
                self.dry_at = heard_until + ticket.made - ticket.counted
                ticket.counted = ticket.made
            if ticket.state is not State.DONE:
                return
            del self.tickets[index]


class Order:
    """The queue of all clients' sentences. Not thread-safe: one event loop owns it."""

    def __init__(self, slots: int, max_waiting: int, clock: Callable[[], float]) -> None:
        """`slots` jobs run at once; at most `max_waiting` owners wait for their first audio."""
        self.slots = slots
        self._max_waiting = max_waiting
        self._clock = clock
        self._owners: dict[str, Owner] = {}
        self._numbers = count()
        self._seconds_per_job = 1.0

    @property
    def running(self) -> int:
        return sum(ticket.state is State.RUNNING for ticket in self._tickets())

    @property
    def waiting(self) -> int:
        return sum(ticket.state is State.QUEUED for ticket in self._tickets())

    @property
    def owners(self) -> int:
        return len(self._owners)

    def hold(self, name: str) -> None:
        """Remember this owner between its sentences until `release`. Raises Overloaded if it would have to wait behind too many."""
        self._admit(name).holds += 1

    def release(self, name: str) -> None:
        self._owners[name].holds -= 1
        self._forget(name)

    def add(self, job: SpeechJob) -> Ticket:
        """Queue a job. Raises Overloaded for a new owner when too many wait, InvalidInput for a sentence that is already here."""
        owner = self._admit(job.owner)
        if job.index in owner.tickets:
            raise InvalidInput(f"sentence {job.index} of {job.owner} is already being made: number the sentences of one owner from 0")
        owner.tickets[job.index] = ticket = Ticket(job, self._clock(), next(self._numbers))
        return ticket

    def waits(self, name: str) -> bool:
        """This owner hears nothing yet, and nothing is being made for it."""
        return self._owners[name].waits()

    def retry_after(self) -> int:
        """Seconds after which those who wait now should have been served."""
        seconds = self._seconds_per_job * max(self.waiting, 1) / self.slots
        return min(max(math.ceil(seconds), 1), LONGEST_RETRY)

    def start_next(self) -> Ticket | None:
        """The most urgent job, now running, with its `plays_at`; None if nothing is queued or all slots are taken."""
        if self.running >= self.slots:
            return None
        ticket = min(self._heads(), key=self._urgency, default=None)
        if ticket is not None:
            ticket.job = replace(ticket.job, plays_at=self._owners[ticket.job.owner].plays_at(ticket))
            ticket.state, ticket.started = State.RUNNING, self._clock()
        return ticket

    def made(self, ticket: Ticket, seconds: float) -> None:
        """Audio of a running job has come out."""
        ticket.made += seconds
        self._owners[ticket.job.owner].play(self._clock())

    def finish(self, ticket: Ticket) -> None:
        """The job's audio is complete."""
        ticket.state = State.DONE
        self._seconds_per_job += 0.1 * (self._clock() - ticket.started - self._seconds_per_job)
        self._owners[ticket.job.owner].play(self._clock())
        self._forget(ticket.job.owner)

    def drop(self, ticket: Ticket) -> None:
        """The job was cancelled or has failed, queued or running: it is as if it had never been asked for."""
        owner = self._owners[ticket.job.owner]
        if owner.tickets.get(ticket.job.index) is ticket:
            del owner.tickets[ticket.job.index]
        owner.play(self._clock())
        self._forget(ticket.job.owner)

    def _admit(self, name: str) -> Owner:
        owner = self._owners.get(name)
        if owner is None:
            self._refuse_if_full()
            owner = self._owners[name] = Owner(self._clock())
        return owner

    def _refuse_if_full(self) -> None:
        waiting = sum(owner.waits() for owner in self._owners.values())
        if waiting >= self._max_waiting:
            retry = self.retry_after()
            raise Overloaded(f"{waiting} clients already wait for speech, which is the limit: try again in {retry} s", retry_after=retry)

    def _forget(self, name: str) -> None:
        owner = self._owners[name]
        if not owner.holds and not owner.tickets:
            del self._owners[name]

    def _heads(self) -> Iterator[Ticket]:
        heads = (owner.first_queued() for owner in self._owners.values())
        return (head for head in heads if head is not None)

    def _urgency(self, ticket: Ticket) -> tuple[float, int]:
        return self._owners[ticket.job.owner].due(ticket), ticket.number

    def _tickets(self) -> Iterator[Ticket]:
        return (ticket for owner in self._owners.values() for ticket in owner.tickets.values())
