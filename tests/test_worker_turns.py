"""Whose window is next in the worker, under a fake clock: first sounds first, then who runs dry soonest, and nobody starves."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Room, SpeechJob
from models.turns import PATIENCE, Rendering, Turns

WINDOW = 0.2


@dataclass
class Bench:
    """Jobs with a number of 0.2-second windows each, which one thread makes in `cost` seconds each; `room` jobs may have begun."""

    cost: float = 0.01
    room: int = 1000
    now: float = 1000.0
    left: dict[int, int] = field(default_factory=dict)
    dry: dict[int, float] = field(default_factory=dict)
    first: dict[int, float] = field(default_factory=dict)
    until: dict[int, float] = field(default_factory=dict)
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(lambda job: Room(job.voice, self.room), lambda: self.now)
        self._ids = count(1)

    def add(self, windows: int, plays_at: float | None = None, voice: str = "ann") -> int:
        number = next(self._ids)
        self.left[number] = windows
        self.turns.add(Rendering(number, SpeechJob(str(number), 0, "", voice, plays_at=plays_at)))
        return number

    def turn(self, seconds: float = WINDOW) -> int:
        rendering = self.turns.next()
        self.now += self.cost
        self.hear(rendering.id, seconds)
        self.left[rendering.id] -= 1
        if self.left[rendering.id]:
            self.turns.give_back(rendering, seconds)
        else:
            del self.left[rendering.id]
            self.turns.remove(rendering)
        return rendering.id

    def hear(self, number: int, seconds: float) -> None:
        self.first.setdefault(number, self.now)
        until = self.until.get(number, self.now)
        self.dry[number] = self.dry.get(number, 0.0) + max(0.0, self.now - until)
        self.until[number] = max(until, self.now) + seconds


def test_first_windows_go_before_all_others() -> None:
    bench = Bench()
    old = bench.add(100)
    for _ in range(5):
        bench.turn()
    newcomers = [bench.add(100) for _ in range(8)]
    assert [bench.turn() for _ in range(8)] == newcomers
    assert bench.turn() == old or bench.until[old] > bench.now


def test_then_who_runs_dry_soonest() -> None:
    bench = Bench()
    late, soon = bench.add(9, plays_at=bench.now + 5), bench.add(9, plays_at=bench.now + 1)
    assert [bench.turn() for _ in range(9)] == [soon] * 9
    assert bench.turn() == late


@pytest.mark.parametrize("clients", [1, 4, 16, 64])
def test_nobody_runs_dry_while_the_engine_is_fast_enough(clients: int) -> None:
    bench = Bench(cost=WINDOW / clients / 2)
    jobs = [bench.add(50) for _ in range(clients)]
    while bench.left:
        bench.turn()
    assert max(bench.first[job] for job in jobs) <= 1000 + clients * bench.cost + 1e-6
    assert all(bench.dry[job] <= clients * bench.cost + 1e-6 for job in jobs), "only while first windows came first"


@pytest.mark.parametrize("clients", [2, 8, 64])
def test_an_engine_that_is_too_slow_lets_all_wait_alike(clients: int) -> None:
    bench = Bench(cost=2 * WINDOW / clients)
    jobs = [bench.add(20) for _ in range(clients)]
    while bench.left:
        bench.turn()
    assert max(bench.dry[job] for job in jobs) - min(bench.dry[job] for job in jobs) <= 2 * WINDOW * 2


def test_a_long_sentence_is_finished_among_newcomers_without_end() -> None:
    bench = Bench(cost=0.5)
    long = bench.add(15)
    while long in bench.left:
        while len(bench.left) < 16:
            bench.add(1)
        bench.turn()
        assert bench.now < 1000 + 15 * (PATIENCE + 16 * bench.cost)


def test_one_silent_window_costs_a_newcomer_nothing_and_many_do_not_hold_up_the_others() -> None:
    bench = Bench()
    other = bench.add(100)
    bench.turn()
    silent = bench.add(100)
    assert [bench.turn(0) for _ in range(2)] == [silent, silent]
    assert {bench.turn(0 if silent not in bench.left else WINDOW) for _ in range(50)} >= {other}


def test_a_cancelled_job_is_next_and_ends() -> None:
    bench = Bench()
    first, second = bench.add(10), bench.add(10, plays_at=5000.0)
    bench.turns.cancel(second)
    rendering = bench.turns.next()
    assert (rendering.id, rendering.cancelled.is_set()) == (second, True)
    bench.turns.remove(rendering)
    assert bench.turn() == first


def test_a_job_cancelled_while_a_thread_has_it_is_next_when_it_comes_back() -> None:
    bench = Bench()
    bench.add(10)
    taken = bench.turns.next()
    bench.add(10)
    bench.turns.cancel(taken.id)
    bench.turns.give_back(taken, WINDOW)
    assert bench.turns.next() is taken


def test_a_job_without_room_waits_for_another_to_end_and_is_passed_over_meanwhile() -> None:
    bench = Bench(room=1)
    only, waiting = bench.add(3), bench.add(1)
    assert [bench.turn() for _ in range(4)] == [only, only, only, waiting]


def test_two_threads_never_have_the_same_job() -> None:
    bench = Bench()
    bench.add(2)
    taken = bench.turns.next()
    got: list[Rendering] = []
    other = threading.Thread(target=lambda: got.append(bench.turns.next()))
    other.start()
    bench.turns.give_back(taken, WINDOW)
    other.join(60)
    assert got == [taken]


@given(st.lists(st.tuples(st.integers(1, 5), st.none() | st.floats(990, 1010)), min_size=1, max_size=64), st.data())
def test_every_job_gets_all_its_windows_and_nothing_is_left(jobs: list[tuple[int, float | None]], data: st.DataObject) -> None:
    bench = Bench(room=data.draw(st.integers(1, 8)))
    for windows, plays_at in jobs:
        bench.add(windows, plays_at)
    turns = [bench.turn(data.draw(st.sampled_from([0.0, WINDOW]))) for _ in range(sum(windows for windows, _ in jobs))]
    assert not bench.left
    assert {number: turns.count(number) for number in set(turns)} == {number: windows for number, (windows, _) in enumerate(jobs, 1)}


def test_the_places_of_one_room_are_not_those_of_another() -> None:
    bench = Bench(room=1)
    anns, bobs, anns_second = bench.add(2), bench.add(2, voice="bob"), bench.add(1)
    assert [bench.turn() for _ in range(5)] == [anns, bobs, anns, anns_second, bobs]


def test_one_who_waits_for_a_place_can_be_cancelled() -> None:
    bench = Bench(room=1)
    bench.add(3)
    bench.turn()
    waiting = bench.add(3)
    bench.turns.cancel(waiting)
    assert bench.turns.next().id == waiting
