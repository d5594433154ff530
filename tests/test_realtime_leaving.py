"""Whoever leaves, at whatever moment, leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from api import metrics
from api.entries import Entry
from api.realtime.answer import ROUTE
from api.realtime.client_events import ResponseCancel, ResponseCreate
from api.streaming import cancel
from models import work
from models.base import Language, ListeningJob, Segment
from models.text.mock_replies import Called
from tests.realtime import Client, House, Listener, Local, Speaker, house, local
from tests.test_entries import reading

pytestmark = pytest.mark.anyio


class Lingering(Listener):
    """It takes a moment to end, as a worker of its own does."""

    async def transcribe(self, job: ListeningJob) -> AsyncGenerator[Language | Segment, None]:
        self.running += 1
        try:
            async with aclosing(super().transcribe(job)) as heard:
                async for piece in heard:
                    yield piece
        finally:
            try:
                await asyncio.sleep(0.01)
            finally:
                self.running -= 1


@pytest.mark.parametrize("silence", [0.3, 0.6])
async def test_whoever_leaves_while_a_turn_or_what_may_be_one_is_transcribed(silence: float) -> None:
    async with house(listener=Lingering()) as home, local(home) as client:
        assert home.listener
        home.listener.hold = asyncio.Event()
        await client.say(0.5)
        await client.say(silence, loud=False)
        while not home.listener.running:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("cancels", [True, False])
async def test_an_answer_that_ends_before_it_began_is_counted_and_told(cancels: bool) -> None:
    before = metrics.requests.labels(ROUTE, "cancelled")._value.get()
    async with house() as home:
        with reading() as told, work.around(Entry(event="socket", status=101)):
            session = home.session(Local().socket)
            session.begin()
            await session.obey(ResponseCreate(type="response.create"))
            if cancels:
                await session.obey(ResponseCancel(type="response.cancel"))
            await session.close()
        assert not home.text.history
    assert [(entry.event, entry.outcome, entry.gone) for entry in told] == [("response", "cancelled", not cancels)]
    assert metrics.requests.labels(ROUTE, "cancelled")._value.get() == before + 1


async def act(home: House, client: Client, chance: random.Random) -> None:
    what = chance.choice(["speak", "pause", "pause", "write", "ask", "ask", "cancel", "commit", "clear", "cut", "push", "delete"])
    items = [item.id for item in home.sessions[-1].items.history] or ["nobody"]
    match what:
        case "speak" | "pause":
            await client.say(chance.choice([0.1, 0.3, 0.6]), loud=what == "speak")
        case "write":
            await client.write("Hello")
        case "ask":
            await client.send("response.create", response={"conversation": chance.choice(["auto", "none"])})
        case "cancel":
            await client.send("response.cancel")
        case "commit" | "clear":
            await client.send(f"input_audio_buffer.{what}")
        case "cut":
            await client.send("conversation.item.truncate", item_id=items[-1], content_index=0, audio_end_ms=chance.randrange(900))
        case "push":
            vad = chance.choice([None, {"type": "server_vad", "silence_duration_ms": 200}])
            await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": vad}}})
        case "delete":
            await client.send("conversation.item.delete", item_id=chance.choice(items))


async def left(seed: int) -> None:
    chance = random.Random(seed)
    async with house(listener=Lingering(), speaker=Speaker(pace=0.02)) as home:
        home.text.enqueue(
            [chance.choice(["One. Two three.", Called("clock", '{"zone": "UTC"}', "One moment."), "Yes."]) for _ in range(20)]
        )
        async with local(home) as client:
            reading = asyncio.create_task(read(client))
            for _ in range(chance.randint(1, 20)):
                await act(home, client, chance)
                await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01]))
            await cancel(reading)
        assert not [event for event in client.of("error") if event["error"]["code"] == "internal_error"]


async def read(client: Client) -> None:
    while True:
        await client.event()


@pytest.mark.parametrize("seed", range(100))
def test_whoever_leaves_in_the_midst_of_anything(seed: int) -> None:
    asyncio.run(left(seed))
