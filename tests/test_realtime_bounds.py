"""A conversation that goes on for ever: what it may hold, and what a model still gets of it."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket

from api.realtime.answer import shorter
from api.realtime.items import EMPTY, MOST_CHARACTERS, Entry, Items, read
from api.realtime.outbox import Outbox
from api.realtime.session import MOST_UNHEARD
from api.streaming import cancel
from models.errors import EngineFailed, InvalidInput
from tests.realtime import connected, house, local, pcm
from voice.history import Item, Said, ToolCall, ToolResult

pytestmark = pytest.mark.anyio

CALL = {"name": "clock", "arguments": "{}"}
PART = {"type": "input_audio", "audio": base64.b64encode(pcm(0.2)).decode()}


def filled(*items: Item, **most: int) -> tuple[Items, list[str]]:
    forgotten: list[str] = []
    held = Items(forgotten.append, **most)
    for item in items:
        held.add(Entry(item))
    return held, forgotten


def test_of_too_many_items_the_oldest_are_forgotten() -> None:
    held, forgotten = filled(*(Said(str(number), "user", "Hello") for number in range(5)), most=3)
    assert [item.id for item in held.history] == ["2", "3", "4"]
    assert forgotten == ["0", "1"]


def test_of_too_long_items_the_oldest_are_forgotten_and_one_alone_is_refused() -> None:
    held, forgotten = filled(*(Said(str(number), "user", "Hello") for number in range(5)), characters=12)
    assert (len(held.history.items), forgotten) == (2, ["0", "1", "2"])
    with pytest.raises(InvalidInput, match="13 characters: at most 12"):
        held.add(Entry(Said("long", "user", "Hello, hello!")))
    assert len(held.history.items) == 2


def test_what_has_no_text_takes_memory_too() -> None:
    parts = [{"type": "input_text", "text": ""}] * 10
    assert read({"type": "message", "role": "user", "content": parts}).characters == 10 * EMPTY
    for long in (
        {"type": "function_call_output", "call_id": "c" * 129, "output": ""},
        {"type": "function_call", "call_id": "c" * 129, **CALL},
    ):
        with pytest.raises(InvalidInput, match="call_id"):
            read(long)


def test_what_the_system_says_is_forgotten_last_and_a_call_goes_with_its_result() -> None:
    call, result = ToolCall("call", "c", "clock", "{}"), ToolResult("result", "c", "ten")
    held, forgotten = filled(Said("s", "system", "Be brief."), call, Said("b", "user", "Well?"), result, Said("d", "user", "So?"), most=4)
    assert [item.id for item in held.history] == ["s", "b", "d"]
    assert forgotten == ["call", "result"]


async def test_a_client_is_told_what_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as home, connected(home) as client:
        monkeypatch.setattr(home.sessions[-1].items, "_most", 2)
        for number in range(3):
            await client.write("Hello", id=str(number))
        assert (await client.until("conversation.item.deleted"))["item_id"] == "0"
        assert (await client.until("conversation.item.done"))["previous_item_id"] == "1"


async def test_a_recording_that_could_not_be_transcribed_is_not_kept() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append(EngineFailed("no"))
        content = [{"type": "input_text", "text": "Listen:"}, PART]
        await client.send("conversation.item.create", item={"id": "a", "type": "message", "role": "user", "content": content})
        await client.until("error")
        entry = home.sessions[-1].items.get("a")
        assert entry.parts[1] == {"type": "input_audio", "transcript": None}
        assert isinstance(entry.item, Said)
        assert entry.item.text == "Listen:"


async def test_a_recording_is_no_longer_than_a_turn() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(audio={"input": {"format": {"type": "audio/pcmu"}}})
        content = [{"type": "input_audio", "audio": base64.b64encode(bytes(301 * 8000)).decode()}]
        error = await client.refused("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        assert "at most 300 s" in error["message"]
        assert error["param"] == "item.content.0.audio"


async def test_one_message_has_no_more_recordings_than_may_be_transcribed_at_a_time() -> None:
    async with house() as home, connected(home) as client:
        item = {"type": "message", "role": "user", "content": [PART] * (MOST_UNHEARD + 1)}
        assert (await client.refused("conversation.item.create", item=item))["code"] == "overloaded"


async def test_turns_that_come_faster_than_they_are_transcribed_wait() -> None:
    async with house() as home, local(home) as client:
        assert home.listener
        home.listener.hold = asyncio.Event()
        for _ in range(MOST_UNHEARD + 3):
            await client.say(0.3)
            await client.say(0.6, loud=False)
        while len(client.of("input_audio_buffer.committed")) < MOST_UNHEARD:
            await client.event()
        for _ in range(20):
            await asyncio.sleep(0)
        assert home.listener.running <= MOST_UNHEARD + 1  # and what may be the end of one more
        home.listener.hold.set()
        while len(client.of("input_audio_buffer.committed")) < MOST_UNHEARD + 3:
            await client.event()


LONG = "a" * (MOST_CHARACTERS // 2)
TOOL = {"type": "function", "name": "clock"}


@pytest.mark.parametrize(
    "more",
    [
        {"instructions": 2 * LONG},
        {"audio": {"input": {"transcription": {"prompt": 2 * LONG}}}},
        {"tools": [{**TOOL, "description": LONG}, {**TOOL, "parameters": {"title": LONG}}]},
    ],
)
async def test_what_a_session_is_configured_with_is_no_longer_than_its_items(more: dict[str, Any]) -> None:
    async with house() as home, connected(home) as client:
        error = await client.refused("session.update", session=more)
        assert (error["code"], error["param"]) == ("string_above_max_length", "session")
        assert len((await client.configure())["instructions"]) < 1000


async def test_a_response_s_own_is_no_longer_either() -> None:
    async with house() as home, connected(home) as client:
        error = await client.refused("response.create", response={"instructions": 2 * LONG})
        assert (error["code"], error["param"]) == ("string_above_max_length", "response")
        assert (await client.refused("response.create", response={"metadata": {65 * "a": ""}}))["code"] == "invalid_value"


async def test_who_reads_nothing_has_no_more_waiting_than_so_many_characters() -> None:
    sent: asyncio.Queue[str] = asyncio.Queue()
    outbox = Outbox(cast(WebSocket, SimpleNamespace(send_text=sent.put)))
    for _ in range(2):
        outbox.say("long", text=LONG)
    room = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not room.done()
    sending = asyncio.create_task(outbox.send())
    await room
    await cancel(sending)


MESSAGES = st.lists(st.sampled_from(["user", "assistant", "call", "call", "system"]), min_size=1, max_size=12)


def written(kinds: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    for number, kind in enumerate(kinds):
        if kind == "call":
            calls = [{"id": f"{number}", "type": "function", "function": {"name": "clock", "arguments": "{}"}}]
            messages += [{"role": "assistant", "tool_calls": calls}, {"role": "tool", "tool_call_id": f"{number}", "content": "ten"}]
        else:
            messages.append({"role": kind, "content": str(number)})
    return messages


@given(MESSAGES)
def test_a_conversation_is_shortened_to_its_end_and_no_call_loses_its_result(kinds: list[str]) -> None:
    messages = written(kinds)
    while (less := shorter(messages)) is not None:
        assert less[0] == messages[0]
        assert len(less) < len(messages)
        assert less[-1] == messages[-1]
        called = {call["id"] for message in less for call in message.get("tool_calls", ())}
        assert called == {message["tool_call_id"] for message in less if message["role"] == "tool"}
        messages = less


async def test_a_result_that_is_too_long_for_the_model_fails_the_answer_and_not_its_call() -> None:
    async with house(max_model_len=128) as home, connected(home) as client:
        call = {"type": "function_call", "call_id": "c", "name": "read", "arguments": "{}"}
        await client.write("Read it.")
        await client.send("conversation.item.create", item=call)
        result = {"type": "function_call_output", "call_id": "c", "output": "word " * 500}
        await client.send("conversation.item.create", item=result)
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status_details"]["error"]["code"] == "context_length_exceeded"
