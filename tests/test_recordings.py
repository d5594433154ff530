"""How much of recordings is in memory at a time."""

from __future__ import annotations

import asyncio
import io

import pytest

from api.recordings import AT_ONCE, Recordings
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
    await asyncio.sleep(0)  # the loop holds the last one until then
    assert recordings.seconds == pytest.approx(0, abs=0.001)


async def test_what_is_no_recording_takes_no_room() -> None:
    recordings = Recordings(0.5)
    with pytest.raises(InvalidInput, match=r"longer than 0\.5 seconds"):
        await recordings.decoded(second())
    assert recordings.seconds == 0


async def test_who_leaves_takes_no_room() -> None:
    recordings = Recordings(1)
    decoding = asyncio.create_task(recordings.decoded(second()))
    await asyncio.sleep(0)
    decoding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await decoding
    assert recordings.seconds == 0
