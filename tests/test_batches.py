"""Work of several threads in one go: who goes with whom, and whose fault an error is."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech.batches import Batches, Work


class Device:
    """Doubles numbers, once it is let; refuses negative ones, and more than `most` at once."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.made: list[list[int]] = []
        self.busy = threading.Semaphore(0)
        self.let = threading.Event()

    def double(self, items: Sequence[int]) -> list[int]:
        self.busy.release()
        assert self.let.wait(60)
        self.made.append(list(items))
        if len(items) > self.most or min(items) < 0:
            raise ValueError(f"cannot do {list(items)}")
        return [2 * item for item in items]


def ask(
    pool: ThreadPoolExecutor, batches: Batches, device: Device, items: Sequence[int], work: Work[int, int] | None = None
) -> list[Future[int]]:
    """The first is on the device alone; the others have all come when it is let."""
    first = pool.submit(batches.run, "first", device.double, 0)
    device.busy.acquire()
    futures = [pool.submit(batches.run, "a", work or device.double, item) for item in items]
    while len(batches._waiting) < len(items):
        pass
    device.let.set()
    assert first.result(60) == 0
    return futures


def test_what_waits_goes_together() -> None:
    device, batches = Device(), Batches(8)
    with ThreadPoolExecutor(8) as pool:
        assert [future.result(60) for future in ask(pool, batches, device, [1, 2, 3])] == [2, 4, 6]
    assert sorted(map(sorted, device.made)) == [[0], [1, 2, 3]]


def test_never_more_than_the_limit_and_never_two_kinds() -> None:
    device, batches = Device(), Batches(2)
    with ThreadPoolExecutor(8) as pool:
        assert [future.result(60) for future in ask(pool, batches, device, [1, 2, 3, 4, 5])] == [2, 4, 6, 8, 10]
        other = batches.run("b", device.double, 9)
    assert other == 18
    assert sorted(map(len, device.made)) == [1, 1, 1, 2, 2]


def test_with_one_at_a_time_nobody_waits() -> None:
    device, batches = Device(), Batches(1)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(batches.run, "a", device.double, item) for item in (1, 2)]
        assert [device.busy.acquire(timeout=60) for _ in both] == [True, True], "both are at work at once"
        device.let.set()
        assert [future.result(60) for future in both] == [2, 4]


def test_an_error_is_that_of_the_item_alone() -> None:
    device, batches = Device(), Batches(8)
    with ThreadPoolExecutor(8) as pool:
        futures = ask(pool, batches, device, [1, -2, 3, 4])
        assert [future.result(60) for future in (futures[0], futures[2], futures[3])] == [2, 6, 8]
        with pytest.raises(ValueError, match=r"cannot do \[-2\]"):
            futures[1].result(60)


def test_what_is_too_much_in_one_go_is_done_in_smaller_ones() -> None:
    device, batches = Device(most=2), Batches(8)
    with ThreadPoolExecutor(8) as pool:
        assert [future.result(60) for future in ask(pool, batches, device, [1, 2, 3, 4, 5])] == [2, 4, 6, 8, 10]


class Memory:
    """What a failed try has on the device, kept by whoever keeps its error."""


def test_a_smaller_try_finds_the_memory_of_the_failed_one_free() -> None:
    held: weakref.ref[Memory] | None = None
    device, batches = Device(), Batches(8)

    def greedy(items: Sequence[int]) -> list[int]:
        nonlocal held
        assert held is None or held() is None
        if len(items) == 1:
            return list(items)
        memory = Memory()
        held = weakref.ref(memory)
        raise MemoryError

    with ThreadPoolExecutor(8) as pool:
        assert [future.result(60) for future in ask(pool, batches, device, [1, 2, 3, 4], greedy)] == [1, 2, 3, 4]
    assert held is not None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1000)), max_size=64), st.integers(1, 8))
def test_everyone_gets_their_own_result(asked: list[tuple[str, int]], most: int) -> None:
    device, batches = Device(), Batches(most)
    device.let.set()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda one: batches.run(one[0], device.double, one[1]), asked))
    assert results == [2 * item for _, item in asked]
    assert all(len(batch) <= most for batch in device.made)
