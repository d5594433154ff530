"""Whose audio is listened to next: conversations before files, files in turn, the given up at once."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.base import ListeningJob
from models.listening.line import Line, Listening


def add(line: Line, job_id: int, urgent: bool = False, priority: int = 0) -> None:
    line.add(Listening(job_id, ListeningJob("me", np.zeros(0, np.float32), urgent=urgent, priority=priority)))


def turn(line: Line, urgent: bool = False) -> int:
    listening = line.next(urgent)
    line.give_back(listening)
    return listening.id


def test_files_take_turns() -> None:
    line = Line()
    for job_id in (1, 2, 3):
        add(line, job_id)
    assert [turn(line) for _ in range(6)] == [1, 2, 3, 1, 2, 3]


def test_what_is_urgent_goes_before_files() -> None:
    line = Line()
    add(line, 1)
    add(line, 2, urgent=True)
    assert [turn(line), turn(line)] == [2, 2]


def test_of_both_kinds_those_with_a_higher_priority_go_first() -> None:
    line = Line()
    for job_id, urgent, priority in ((1, False, 9), (2, True, 0), (3, True, 1)):
        add(line, job_id, urgent, priority)
    order = []
    for _ in range(3):
        order.append(line.next())
        line.remove(order[-1])
    assert [listening.id for listening in order] == [3, 2, 1]


def test_one_that_was_given_up_is_next_so_that_what_it_holds_is_free() -> None:
    line = Line()
    add(line, 1)
    add(line, 2, urgent=True)
    line.cancel(1)
    listening = line.next()
    assert (listening.id, listening.cancelled.is_set()) == (1, True)
    line.remove(listening)
    line.cancel(1)
    assert turn(line) == 2


def test_a_thread_for_what_is_urgent_takes_no_file() -> None:
    line, got = Line(), []
    add(line, 1)
    waiting = threading.Thread(target=lambda: got.append(turn(line, urgent=True)))
    waiting.start()
    assert turn(line) == 1
    add(line, 2, urgent=True)
    waiting.join(60)
    assert got == [2]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=30))
def test_every_job_gets_all_its_turns_and_no_file_one_before_what_is_urgent(jobs: list[tuple[bool, int]]) -> None:
    line, left, urgent = Line(), dict(enumerate(items for _, items in jobs)), dict(enumerate(urgent for urgent, _ in jobs))
    for job_id, now in urgent.items():
        add(line, job_id, now)
    while left:
        listening = line.next()
        assert urgent[listening.id] or not any(urgent[job_id] for job_id in left)
        left[listening.id] -= 1
        if left[listening.id]:
            line.give_back(listening)
        else:
            del left[listening.id]
            line.remove(listening)
