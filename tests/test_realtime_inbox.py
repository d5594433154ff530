"""What waits for what: a cancel for no audio, and all else for what came before it."""

from __future__ import annotations

import base64
import time

import pytest

from api.realtime.client_events import Append, Clear
from api.realtime.inbox import MOST, Inbox
from tests.realtime import Client, House, Speaker, connected, house, local, pcm

pytestmark = pytest.mark.anyio

HUGE = base64.b64encode(pcm(200, loud=False)).decode()
APPEND = Append(type="input_audio_buffer.append", audio="")


async def heard_by(home: House, client: Client) -> None:
    """An answer is being made."""
    home.text.enqueue(["One two three four five six seven eight nine ten " * 3 + "and so on. Eleven twelve."])
    await client.send("response.create")
    await client.until("response.output_audio.delta")


async def test_a_cancel_does_not_wait_behind_audio() -> None:
    async with house(speaker=Speaker(pace=1.0)) as home, connected(home) as client:
        await heard_by(home, client)
        assert home.listener
        home.listener.slowness = 0.02  # seconds a second: four for all that comes now
        for _ in range(3):
            await client.send("input_audio_buffer.append", audio=HUGE)
        began = time.perf_counter()
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert time.perf_counter() - began < 3.0


async def test_a_cancel_waits_for_the_response_that_it_means() -> None:
    async with house(speaker=Speaker(pace=1.0)) as home, local(home) as client:
        await client.send("input_audio_buffer.append", audio=HUGE)
        await client.send("response.create")
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status_details"]["reason"] == "client_cancelled"


async def test_whoever_leaves_amid_his_audio_is_not_listened_to_any_more() -> None:
    async with house() as home, local(home) as client:
        assert home.listener
        home.listener.slowness = 0.1
        await client.send("input_audio_buffer.append", audio=HUGE)
        await client.say(0.1)


async def test_a_client_waits_while_too_much_of_what_it_says_waits() -> None:
    inbox = Inbox()
    for _ in range(MOST):
        await inbox.put(APPEND, None, 1)
    assert not inbox.has_room()
    await inbox.take()
    assert inbox.has_room()
    await inbox.put(APPEND, None, 40_000_000)
    assert not inbox.has_room()


async def test_what_is_obeyed_now_counts_until_it_is_done() -> None:
    inbox = Inbox()
    await inbox.put(Clear(type="input_audio_buffer.clear"), "mine", 1)
    assert not inbox.only_audio
    assert (await inbox.take())[1] == "mine"
    assert not inbox.only_audio
    inbox.done()
    await inbox.put(APPEND, None, 1)
    assert inbox.only_audio
