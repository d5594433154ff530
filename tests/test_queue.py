"""Places in an engine: who gets them, who waits, who is refused."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from api.queue import Queue
from models.errors import Overloaded

pytestmark = pytest.mark.anyio


def queue(most: int = 1, max_waiting: int = 2, patience: float = 60) -> Queue:
    return Queue(most, max_waiting, patience, "requests")


class Guests:
    """Tasks that take a place until they are told to leave."""

    def __init__(self, places: Queue) -> None:
        self.places = places
        self.inside: list[str] = []
        self.leaving: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, priority: int = 0) -> None:
        self.leaving[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._stay(name, priority))
        await asyncio.sleep(0)

    async def _stay(self, name: str, priority: int) -> None:
        async with self.places.turn(priority):
            self.inside.append(name)
            await self.leaving[name].wait()

    async def leave(self, name: str) -> None:
        self.leaving[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)


async def test_who_waits_goes_by_priority_and_then_in_order() -> None:
    guests = Guests(queue(max_waiting=9))
    for name, priority in (("first", 0), ("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        await guests.come(name, priority)
    assert guests.places.waiting == 5
    for name in ("first", "b", "d", "a", "c", "e"):
        await guests.leave(name)
    assert guests.inside == ["first", "b", "d", "a", "c", "e"]
    assert (guests.places.running, guests.places.waiting) == (0, 0)


async def test_of_too_many_the_last_in_order_is_refused() -> None:
    guests = Guests(queue(max_waiting=2))
    for name in ("first", "a", "b", "c"):
        await guests.come(name)
    with pytest.raises(Overloaded, match="2 requests wait already") as refused:
        await guests.tasks["c"]
    assert refused.value.retry_after >= 1
    await guests.come("urgent", 1)
    with pytest.raises(Overloaded):
        await guests.tasks["b"]
    for name in ("first", "urgent", "a"):
        await guests.leave(name)
    assert guests.inside == ["first", "urgent", "a"]


async def test_nobody_waits_for_ever() -> None:
    places = queue(patience=0.02)
    async with places.turn():
        with pytest.raises(Overloaded, match=r"within 0\.02 s"):
            async with places.turn():
                pytest.fail("there was no place")
    assert (places.running, places.waiting) == (0, 0)


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    guests = Guests(queue(max_waiting=9))
    for name in ("first", "a", "b"):
        await guests.come(name)
    guests.tasks["a"].cancel()
    await asyncio.gather(guests.tasks["a"], return_exceptions=True)
    await guests.leave("first")
    assert guests.inside == ["first", "b"]
    await guests.leave("b")
    assert (guests.places.running, guests.places.waiting) == (0, 0)


async def test_a_place_that_came_in_the_moment_of_leaving_is_given_on() -> None:
    guests = Guests(queue(max_waiting=9))
    for name in ("first", "a", "b"):
        await guests.come(name)
    guests.leaving["first"].set()
    await asyncio.sleep(0)  # "first" leaves, and "a" has its place without knowing it
    guests.tasks["a"].cancel()
    await asyncio.gather(guests.tasks["a"], return_exceptions=True)
    await asyncio.sleep(0)
    assert guests.inside[-1] == "b"
    await guests.leave("b")
    assert (guests.places.running, guests.places.waiting) == (0, 0)


async def test_as_many_as_there_are_places_do_not_wait() -> None:
    places = queue(most=3)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(places.turn())
        assert not places.free
    assert places.free
    assert places.running == 0
