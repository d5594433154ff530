"""How much of recordings is in memory at a time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from api import recordings as module
from api.recordings import AT_ONCE, Recordings
from api.streaming import unless_gone
from models.errors import InvalidInput, Overloaded
from tests.recordings import recording, tone

pytestmark = pytest.mark.anyio


def second() -> io.BytesIO:
    return io.BytesIO(recording("wav", tone(0.95)))


async def test_no_more_recordings_are_in_memory_than_it_is_meant_for() -> None:
    recordings = Recordings(1)
    held = [await recordings.decoded(second()) for _ in range(AT_ONCE)]
    assert recordings.seconds == pytest.approx(0.95 * AT_ONCE, abs=0.01)
    with pytest.raises(Overloaded, match="4 seconds of recordings wait"):
        await recordings.decoded(second())
    held.pop()
    held.append(await recordings.decoded(second()))
    del held
    async with asyncio.timeout(10):
        while recordings.seconds > 0.001:  # the thread that has decoded it holds the last one for a moment
            await asyncio.sleep(0.01)


async def test_what_is_no_recording_takes_no_room() -> None:
    recordings = Recordings(0.5)
    with pytest.raises(InvalidInput, match=r"longer than 0\.5 seconds"):
        await recordings.decoded(second())
    assert recordings.seconds == 0


async def test_who_leaves_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    grew, go, goes_on = threading.Event(), threading.Event(), queue.SimpleQueue[bool]()

    def decode(file: Any, longest: float, grow: Callable[[float], bool]) -> None:
        assert grow(0.5)
        grew.set()
        go.wait(60)
        goes_on.put(grow(0.5))

    monkeypatch.setattr(module, "decode", decode)
    recordings = Recordings(1)
    decoding = asyncio.create_task(recordings.decoded(second()))
    await asyncio.to_thread(grew.wait, 60)
    assert recordings.seconds == 0.5
    decoding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await decoding
    go.set()
    assert await asyncio.to_thread(goes_on.get, True, 10) is False
    assert recordings.seconds == 0


async def test_hours_of_audio_do_not_take_the_threads_of_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(module, "decode", lambda file, longest, grow: go.wait(30) and np.zeros(1, np.float32))
    recordings = Recordings(1)
    decoding = [asyncio.create_task(recordings.decoded(second())) for _ in range(64)]
    await asyncio.sleep(0)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 60) == "free"
        assert not any(task.done() for task in decoding)
    finally:
        go.set()
        await asyncio.gather(*decoding)


async def test_nothing_is_kept_of_work_that_failed() -> None:
    """Its recording would be, until the next full garbage collection."""

    class Held:
        pass

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def fail(held: Held) -> None:
        await asyncio.sleep(0)
        raise Overloaded("no room")

    async def work() -> weakref.ref[Held]:
        held = Held()
        with contextlib.suppress(Overloaded):
            await unless_gone(fail(held), receive)
        return weakref.ref(held)

    gc.disable()
    try:
        kept = await work()
        await asyncio.sleep(0)  # until then the loop has what it woke this for
        assert kept() is None
    finally:
        gc.enable()
