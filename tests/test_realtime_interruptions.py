"""Barge-in, cancels and cuts: the history has what was heard, and nothing runs on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.realtime import CHARACTER, Client, House, Speaker, connected, house
from tests.test_realtime import ANSWERED, SPOKEN

pytestmark = pytest.mark.anyio

LONG = "One two three four five six seven eight nine ten. Eleven twelve. Thirteen."


async def answering(home: House, client: Client, seconds: float) -> str:
    """The answer is being heard, by a clock that stands still from its first sound on. Returns the answer's item."""
    home.text.enqueue([LONG])
    home.now = 100.0
    await client.send("response.create")
    sent = 0.0
    while sent < seconds:
        sent += len((await client.until("response.output_audio.delta"))["delta"]) * 3 / 4 / 48000
    return str(client.of("response.output_item.added")[-1]["item"]["id"])


async def test_who_speaks_interrupts_and_the_history_has_what_was_heard() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        home.now = 100.0 + 14 * CHARACTER  # One two three
        await client.say(0.5)
        done = (await client.until("response.done"))["response"]
        assert client.kinds()[1:] == [*ANSWERED[:4], "input_audio_buffer.speech_started", *ANSWERED[4:]]
        assert (done["status"], done["status_details"]) == ("cancelled", {"type": "cancelled", "reason": "turn_detected"})
        assert done["output"][0]["status"] == "incomplete"
        assert home.idle()
        assert await client.transcript(item) == "One two three"
        await client.say(1.0, loud=False)
        await client.until("response.done")
        assert [message["content"] for message in home.text.history[-1].messages[1:]] == ["One two three", "Turn 1."]


async def test_a_cough_only_ducks() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home, ducking="true") as client:
        await answering(home, client, 0.5)
        await client.say(0.1)
        await client.say(0.3, loud=False)
        await client.until("response.done")
        assert [kind for kind in client.kinds() if "speech" in kind] == ["fireside.speech.suspected", "fireside.speech.dismissed"]


async def test_without_ducking_nobody_is_told_of_a_cough() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        await answering(home, client, 0.5)
        await client.say(0.1)
        await client.say(0.3, loud=False)
        await client.until("response.done")
        assert client.kinds()[1:] == ANSWERED


async def test_where_nobody_may_interrupt_the_answer_is_said_to_its_end() -> None:
    async with house(speaker=Speaker(pace=0.1)) as home, connected(home) as client:
        await client.configure(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
        await answering(home, client, 0.5)
        await client.say(0.6)
        await client.say(0.6, loud=False)
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_a_client_cancels() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        home.now = 100.0 + 8 * CHARACTER
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert client.kinds()[1:] == ANSWERED
        assert (done["status"], done["status_details"]) == ("cancelled", {"type": "cancelled", "reason": "client_cancelled"})
        await home.until_idle()
        assert await client.transcript(item) == "One two"
        assert (await client.refused("response.cancel"))["code"] == "response_cancel_not_active"


async def test_a_client_that_knows_better_what_was_heard_cuts_again() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        home.now = 100.3
        await client.send("response.cancel")
        await client.until("response.done")
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=round(14000 * CHARACTER))
        assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 700
        assert await client.transcript(item) == "One two three"


async def test_what_the_client_has_cut_is_not_cut_again_by_who_speaks_next() -> None:
    async with house() as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        await client.until("response.done")
        home.now = 101.5
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=700)
        await client.until("conversation.item.truncated")
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        assert await client.transcript(item) == "One two three"


async def test_what_the_client_has_cut_amid_the_making_stays_as_it_was_cut() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=700)
        await client.until("conversation.item.truncated")
        while "Eleven" not in "".join(event["delta"] for event in client.of("response.output_audio_transcript.delta")):
            await client.event()
        assert await client.transcript(item) == "One two three"
        home.now = 102.0
        await client.say(0.5)
        await client.until("response.done")
        assert await client.transcript(item) == "One two three"


async def test_an_answer_behind_one_that_is_still_being_heard_is_heard_after_it() -> None:
    """As after a call of a tool: `One moment.`, and at once the answer to what came of it."""
    async with house() as home, connected(home) as client:
        first = await answering(home, client, 1.0)
        await client.until("response.done")
        home.text.enqueue(["Fourteen fifteen."])
        await client.send("response.create")
        await client.until("response.done")
        second = str(client.of("response.output_item.added")[-1]["item"]["id"])
        home.now = 100.0 + 14 * CHARACTER
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        assert [await client.transcript(item) for item in (first, second)] == ["One two three", ""]


async def test_an_answer_that_is_complete_and_still_being_heard_is_cut_too() -> None:
    async with house() as home, connected(home) as client:
        item = await answering(home, client, 1.0)
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        home.now = 100.0 + 14 * CHARACTER
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        assert await client.transcript(item) == "One two three"


@pytest.mark.parametrize(("fields", "param"), [({"audio_end_ms": 99999}, "audio_end_ms"), ({"audio_end_ms": -1}, "audio_end_ms")])
async def test_there_is_no_cutting_behind_the_end(fields: dict[str, Any], param: str) -> None:
    async with house() as home, connected(home) as client:
        item = await answering(home, client, 0.1)
        await client.until("response.done")
        error = await client.refused("conversation.item.truncate", item_id=item, content_index=0, **fields)
        assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_a_response_beside_the_conversation_is_cancelled_by_its_id() -> None:
    async with house(tokens_per_second=5) as home, connected(home) as client:
        await client.send("response.create", response={"conversation": "none", "output_modalities": ["text"], "metadata": {"for": "me"}})
        created = (await client.until("response.created"))["response"]
        assert (created["conversation_id"], created["metadata"]) == (None, {"for": "me"})
        await client.send("response.cancel", response_id=created["id"])
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert "conversation.item.added" not in client.kinds()


async def test_whoever_leaves_in_mid_answer_leaves_nothing_behind() -> None:
    async with house(speaker=Speaker(pace=1.0), tokens_per_second=20) as home:
        async with connected(home) as client:
            await answering(home, client, 0.2)
            await client.say(0.05)
            assert not home.idle()
        assert home.idle()
        assert home.listener
        assert home.listener.open == 0


async def test_who_goes_on_before_there_is_a_sound_takes_the_turn_back() -> None:
    async with house(ttft=30) as home, connected(home) as client:
        await client.say(0.5)
        await client.say(0.6, loud=False)
        await client.until("response.created")
        await client.say(0.3)
        assert (await client.until("response.done"))["response"]["output"] == []
        assert client.kinds()[1:] == [*SPOKEN, "response.created", "input_audio_buffer.speech_started", "response.done"]
