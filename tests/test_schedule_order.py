"""The ordering policy under a fake clock: who is served next, and whether anyone is left dry."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import SpeechJob
from models.errors import InvalidInput, Overloaded
from voice.order import PATIENCE, Order, Ticket

SENTENCE = "x" * 45
"""Three seconds of speech by the order's guess."""


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def job(owner: str, index: int = 0, text: str = SENTENCE) -> SpeechJob:
    return SpeechJob(owner, index, text, "voice")


@dataclass
class Simulation:
    """Clients with texts of ten three-second sentences, and an engine that makes `speed` seconds of audio per second, one job at a time."""

    clients: int
    speed: float
    sentences: int = 10
    arrivals: float = 0.0
    clock: Clock = field(default_factory=Clock)
    served: list[tuple[str, int]] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    dry: dict[str, float] = field(default_factory=dict)

    def run(self) -> Simulation:
        order = Order(slots=1, max_waiting=1000, clock=self.clock)
        coming = [(number * self.arrivals, f"client {number}") for number in range(self.clients)]
        tickets: dict[str, int] = {}
        until: dict[str, float] = {}
        while coming or order.waiting:
            while coming and (coming[0][0] <= self.clock.now or not order.waiting):
                self.clock.now = max(self.clock.now, coming[0][0])
                owner = coming.pop(0)[1]
                tickets[owner] = 0
                for index in range(self.sentences):
                    order.add(job(owner, index))
            ticket = order.start_next()
            assert ticket is not None
            self.clock.now += 3.0 / self.speed
            self._heard(ticket, until)
            order.made(ticket, 3.0)
            order.finish(ticket)
        assert order.owners == 0
        return self

    def _heard(self, ticket: Ticket, until: dict[str, float]) -> None:
        owner, now = ticket.job.owner, self.clock.now
        self.served.append((owner, ticket.job.index))
        self.first.setdefault(owner, now)
        self.dry[owner] = self.dry.get(owner, 0.0) + max(0.0, now - until.get(owner, now))
        until[owner] = max(until.get(owner, now), now) + 3.0


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_everyone_is_heard_before_anyone_gets_a_second_sentence(clients: int) -> None:
    served = Simulation(clients, speed=100).run().served
    assert [index for _, index in served[:clients]] == [0] * clients
    assert [owner for owner, _ in served[:clients]] == [f"client {n}" for n in range(clients)]


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_nobody_runs_dry_while_the_engine_is_fast_enough(clients: int) -> None:
    assert max(Simulation(clients, speed=2 * clients).run().dry.values()) == 0.0


def test_each_client_hears_its_sentences_in_order() -> None:
    served = Simulation(8, speed=100).run().served
    for client in range(8):
        assert [index for owner, index in served if owner == f"client {client}"] == list(range(10))


def test_an_engine_that_is_too_slow_lets_all_wait_alike() -> None:
    dry = Simulation(8, speed=4).run().dry.values()
    assert min(dry) > 0
    assert max(dry) - min(dry) <= 8 * 3.0 / 4


def test_newcomers_do_not_starve_those_who_have_begun() -> None:
    # First sentences alone take all the engine has: without patience running out, nobody would get a second one before the end.
    run = Simulation(clients=100, speed=3, sentences=2, arrivals=1.0).run()
    seconds = [place for place, (owner, index) in enumerate(run.served) if index == 1 and owner == "client 0"]
    assert seconds[0] <= PATIENCE + 3 + 3


def test_the_client_that_runs_dry_soonest_goes_first() -> None:
    clock = Clock()
    order = Order(1, 10, clock)
    for owner, seconds in (("rich", 9.0), ("poor", 2.0)):
        ticket = order.add(job(owner))
        order.add(job(owner, 1))
        assert order.start_next() is ticket
        order.made(ticket, seconds)
        order.finish(ticket)
    assert [t.job.owner for t in (order.start_next(),) if t] == ["poor"]


def test_audio_made_ahead_does_not_count_before_it_can_be_played() -> None:
    clock = Clock()
    order = Order(3, 10, clock)
    late, ahead, other = order.add(job("a", 0)), order.add(job("a", 1)), order.add(job("b", 0))
    while order.start_next():
        pass
    order.made(late, 1.0)
    order.made(ahead, 30.0)
    order.finish(ahead)
    order.made(other, 40.0)
    order.finish(other)
    order.add(job("a", 2))
    order.add(job("b", 1))
    # For 19 seconds a hears nothing, whatever lies ready: what it has then lasts until 51, b's until 40.
    clock.now = 20.0
    order.made(late, 1.0)
    order.finish(late)
    assert [t.job.owner for t in (order.start_next(),) if t] == ["b"]


@pytest.mark.parametrize(("dry_for", "goes_first"), [(PATIENCE - 1, "new"), (PATIENCE + 1, "old")])
def test_a_newcomer_goes_before_a_client_that_is_dry_but_not_before_one_that_is_dry_for_long(dry_for: float, goes_first: str) -> None:
    clock = Clock()
    order = Order(1, 10, clock)
    first = order.add(job("old"))
    order.add(job("old", 1))
    order.start_next()
    order.made(first, 3.0)
    order.finish(first)
    clock.now = 3.0 + dry_for
    order.add(job("new"))
    assert [t.job.owner for t in (order.start_next(),) if t] == [goes_first]


def test_too_many_waiting_owners_are_refused_but_not_those_already_served() -> None:
    order = Order(slots=1, max_waiting=2, clock=Clock())
    order.add(job("served"))
    order.start_next()
    order.add(job("one"))
    order.hold("two")
    with pytest.raises(Overloaded) as refused:
        order.add(job("three"))
    assert 1 <= refused.value.retry_after <= 60
    order.add(job("served", 1))
    order.add(job("two"))


def test_the_same_sentence_twice_is_refused() -> None:
    order = Order(1, 10, Clock())
    order.add(job("a"))
    with pytest.raises(InvalidInput, match="already being made"):
        order.add(job("a"))


ACTIONS = st.lists(st.tuples(st.sampled_from(["add", "start", "made", "finish", "drop", "wait"]), st.integers(0, 50)), max_size=200)


@given(ACTIONS)
def test_nothing_stays_behind_whatever_happens(actions: list[tuple[str, int]]) -> None:
    clock = Clock()
    order = Order(slots=3, max_waiting=1000, clock=clock)
    queued: list[Ticket] = []
    running: list[Ticket] = []
    for number, (action, choice) in enumerate(actions):
        if action == "add":
            queued.append(order.add(job(f"owner {choice % 4}", number)))
        elif action == "start" and (ticket := order.start_next()):
            queued.remove(ticket)
            running.append(ticket)
        elif action == "made" and running:
            order.made(running[choice % len(running)], 0.5)
        elif action == "finish" and running:
            order.finish(running.pop(choice % len(running)))
        elif action == "drop" and queued + running:
            ticket = (queued + running)[choice % len(queued + running)]
            (queued if ticket in queued else running).remove(ticket)
            order.drop(ticket)
        elif action == "wait":
            clock.now += choice / 10
        assert (order.waiting, order.running) == (len(queued), len(running))
        assert len(running) <= 3
    for ticket in queued + running:
        order.drop(ticket)
    assert (order.waiting, order.running, order.owners) == (0, 0, 0)
