"""Whose window is next in the worker: first sounds first, and nobody starves."""

from __future__ import annotations

from itertools import count

import pytest

from models.base import SpeechJob
from models.worker import PATIENCE, Jobs, Running

SLOTS = 16


class Bench:
    """Jobs with a number of windows each; a job that is through is removed."""

    def __init__(self) -> None:
        self.jobs = Jobs()
        self.left: dict[int, int] = {}
        self._ids = count(1)

    def add(self, windows: int, owner: str = "", index: int = 0) -> int:
        number = next(self._ids)
        self.left[number] = windows
        self.jobs.add(Running(number, SpeechJob(owner or str(number), index, "", "ann")))
        return number

    def turn(self) -> int:
        running = self.jobs.next()
        self.left[running.id] -= 1
        if not self.left[running.id]:
            self.jobs.remove(running)
            del self.left[running.id]
        return running.id


@pytest.mark.parametrize("windows", [1, 2, 4])
def test_a_long_sentence_is_finished_among_newcomers_without_end(windows: int) -> None:
    bench = Bench()
    long = bench.add(15)
    turns = 0
    while long in bench.left:
        while len(bench.left) < SLOTS:
            bench.add(windows)
        bench.turn()
        turns += 1
        assert turns <= 15 * (PATIENCE + SLOTS)


def test_a_newcomer_has_its_first_window_before_all_who_were_begun() -> None:
    bench = Bench()
    for _ in range(SLOTS):
        bench.add(100)
    for _ in range(5 * SLOTS):
        bench.turn()
    newcomer = bench.add(100)
    assert bench.turn() == newcomer


def test_those_who_were_begun_take_turns() -> None:
    bench = Bench()
    ids = [bench.add(100) for _ in range(3)]
    assert [bench.turn() for _ in range(9)] == ids * 3


def test_of_one_owner_only_the_earliest_sentence_is_made() -> None:
    bench = Bench()
    second, first = bench.add(2, "ann", 1), bench.add(2, "ann", 0)
    assert [bench.turn() for _ in range(4)] == [first, first, second, second]


def test_who_finds_no_room_is_passed_over_until_there_is_some() -> None:
    room = True
    jobs = Jobs(lambda job: room)
    first, second = (Running(number, SpeechJob(str(number), 0, "", "ann")) for number in (1, 2))
    jobs.add(first)
    jobs.add(second)
    assert jobs.next() is first
    first.stream, room = iter(()), False
    assert [jobs.next() for _ in range(3)] == [first] * 3
    second.cancelled.set()
    assert jobs.next() is second
    jobs.remove(first)
    jobs.remove(second)
    room = True
    jobs.add(third := Running(3, SpeechJob("3", 0, "", "ann")))
    assert jobs.next() is third


def test_a_sentence_that_holds_room_goes_on_before_an_earlier_one_of_its_owner() -> None:
    room = True
    jobs = Jobs(lambda job: room)
    late, early = Running(1, SpeechJob("ann", 1, "", "ann")), Running(2, SpeechJob("ann", 0, "", "ann"))
    jobs.add(late)
    assert jobs.next() is late
    late.stream, room = iter(()), False
    jobs.add(early)
    assert jobs.next() is late
