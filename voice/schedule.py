"""One queue before the speech engine: sentences of all clients, the most urgent first, each client's audio to itself."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Protocol

from models import work
from models.base import Audio, Load, SpeechJob
from models.errors import Overloaded
from voice.order import Order, Ticket


class Synthesizer(Protocol):
    """What the scheduler needs of models.base.SpeechEngine."""

    @property
    def concurrency(self) -> int: ...

    def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]: ...


class Scheduler:
    """At most `engine.concurrency` jobs are inside the engine; the others wait here, where their order can still change.

    A slot is taken for as long as its audio is being read, so readers must not dawdle (voice.speak reads as fast as audio comes).
    """

    def __init__(
        self, engine: Synthesizer, max_waiting: int, patience: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """At most `max_waiting` owners wait for their first audio, each at most `patience` seconds until it is begun."""
        self._engine = engine
        self._patience = patience
        self._order = Order(engine.concurrency, max_waiting, clock)
        self._turns: dict[Ticket, asyncio.Event] = {}

    @property
    def running(self) -> int:
        """Jobs inside the engine."""
        return self._order.running

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._order.waiting

    def load(self) -> Load:
        return Load(running=self.running, waiting=self.waiting)

    @contextmanager
    def serving(self, owner: str) -> Iterator[None]:
        """Keep what is known of an owner between its sentences. Raises Overloaded at entry: a refusal before the first byte."""
        self._order.hold(owner)
        try:
            yield
        finally:
            self._order.release(owner)

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        """The audio of one sentence once it is its turn. Closing it drops queued work and cancels running work at once.

        Raises Overloaded at the first `anext` if its owner is not served yet and too many wait, or it waited too long, and whatever the
        engine raises.
        """
        ticket = self._order.add(job)
        self._turns[ticket] = asyncio.Event()
        try:
            self._start()
            await self._turn(ticket)
            work.current().begun("speech", ticket.arrived, ticket.started)
            async with aclosing(self._engine.synthesize(ticket.job)) as made:
                async for audio in made:
                    self._order.made(ticket, audio.seconds)
                    yield audio
            self._order.finish(ticket)
        except BaseException:
            self._order.drop(ticket)
            raise
        finally:
            work.current().ended("speech", time.monotonic())
            del self._turns[ticket]
            self._start()

    async def _turn(self, ticket: Ticket) -> None:
        turn = self._turns[ticket]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience if self._patience < math.inf else None):
                await turn.wait()
        if turn.is_set():
            return
        if self._order.waits(ticket.job.owner):
            retry = self._order.retry_after()
            raise Overloaded(f"speech was not begun within {self._patience:g} s: try again in {retry} s", retry_after=retry)
        await turn.wait()

    def _start(self) -> None:
        # An engine may know how much it can do at once only after loading, or after a restart.
        self._order.slots = self._engine.concurrency
        while ticket := self._order.start_next():
            self._turns[ticket].set()
