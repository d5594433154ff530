"""What a session is configured with, what it refuses, its items and its tools."""

from __future__ import annotations

from typing import Any

import pytest

from models.text.mock_replies import Called
from settings import Settings
from settings.limits import Limits
from tests.realtime import Speaker, connected, house

pytestmark = pytest.mark.anyio

CLOCK = {"type": "function", "name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {}}}


async def test_the_defaults_are_openai_s() -> None:
    async with house() as home, connected(home) as client:
        session = client.events[0]["session"]
        assert session["model"] == "gpt-realtime"
        assert session["output_modalities"] == ["audio"]
        assert session["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "v", "speed": 1.0}
        vad = session["audio"]["input"]["turn_detection"]
        assert (vad["type"], vad["threshold"], vad["prefix_padding_ms"], vad["silence_duration_ms"]) == ("server_vad", 0.5, 300, 500)
        assert session["audio"]["input"]["transcription"] is None


async def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(instructions="Be brief.", audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}})
        session = await client.configure(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 200}}})
        vad = session["audio"]["input"]["turn_detection"]
        assert session["instructions"] == "Be brief."
        assert (vad["threshold"], vad["silence_duration_ms"]) == (0.7, 200)
        session = await client.configure(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
        assert "threshold" not in session["audio"]["input"]["turn_detection"]
        session = await client.configure(audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}})
        assert session["audio"]["input"]["turn_detection"] is None


async def test_what_is_openai_s_own_is_taken_and_not_told_back() -> None:
    async with house() as home, connected(home) as client:
        session = await client.configure(
            tracing="auto", include=None, reasoning=None, audio={"input": {"noise_reduction": {"type": "near_field"}}}
        )
        assert "tracing" not in session
        assert session["audio"]["input"]["noise_reduction"] is None


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 7}}}}, "session.audio.input.turn_detection.threshold"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, "session.audio.input.format.rate"),
        ({"audio": {"output": {"voice": "nobody"}}}, "session.audio.output.voice"),
        ({"output_modalities": ["text", "audio"]}, "session.output_modalities"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "session.tools.0.type"),
        ({"temperature": 0.8}, "session.temperature"),
        ({"model": "nobody"}, "session.model"),
        ({"audio": {"input": {"transcription": {"language": "klingon"}}}}, "session.audio.input.transcription.language"),
        ({"type": "transcription"}, "session.type"),
    ],
)
async def test_a_field_that_is_wrong_is_named(session: dict[str, Any], param: str) -> None:
    async with house() as home, connected(home) as client:
        error = await client.refused("session.update", session={"type": "realtime", **session})
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert error["code"]


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("nobody", {}, "invalid_event"),
        ("session.update", {}, "missing_required_parameter"),
        ("response.create", {"colour": "red"}, "unknown_parameter"),
        ("input_audio_buffer.append", {"audio": "!!"}, "invalid_value"),
        ("input_audio_buffer.append", {"audio": 3}, "invalid_value"),
        ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty"),
        ("conversation.item.create", {"item": {"type": "message", "role": "user", "content": [{"type": "input_image"}]}}, "invalid_value"),
        ("conversation.item.create", {"item": {"type": "function_call_output"}}, "missing_required_parameter"),
        ("conversation.item.delete", {"item_id": "nobody"}, "invalid_value"),
        ("conversation.item.retrieve", {"item_id": "nobody"}, "invalid_value"),
        ("conversation.item.truncate", {"item_id": "nobody", "content_index": 0, "audio_end_ms": 1}, "invalid_value"),
        ("response.cancel", {"response_id": "nobody"}, "response_cancel_not_active"),
        ("response.create", {"response": {"input": [{"type": "item_reference", "id": "nobody"}]}}, "invalid_value"),
        ("response.create", {"response": {"tool_choice": {"type": "function", "name": "nobody"}}}, "invalid_value"),
        ("response.create", {"response": {"audio": {"output": {"voice": "nobody"}}}}, "voice_not_found"),
        ("response.create", {"response": {"audio": {"output": {"volume": 3}}}}, "unknown_parameter"),
    ],
)
async def test_an_event_that_is_wrong_is_refused_and_the_session_goes_on(kind: str, fields: dict[str, Any], code: str) -> None:
    async with house() as home, connected(home) as client:
        error = await client.refused(kind, **fields)
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        await client.configure()


@pytest.mark.parametrize("frame", ["{", "[]", "3", b"\x00", '{"type": 3}', '{"type": "response.create", "event_id": 3}', '"\\ud800"'])
async def test_a_frame_that_is_no_event_is_refused(frame: str | bytes) -> None:
    async with house() as home, connected(home) as client:
        await client.connection.send_raw(frame)
        assert (await client.until("error"))["error"]["type"] == "invalid_request_error"
        await client.configure()


def nested(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(levels - 1):
        made = {"items": made}
    return {"type": "realtime", "tools": [{**CLOCK, "parameters": made}]}


async def test_an_event_that_is_nested_too_deeply_is_refused_as_a_body_is() -> None:
    async with house() as home, connected(home) as client:
        error = await client.refused("session.update", session=nested(100))
        assert "100 levels" in error["message"]
        await client.configure(**nested(90))


@pytest.mark.parametrize("levels", [251, 254, 400])
async def test_a_tool_s_parameters_that_cannot_be_told_back_are_refused(levels: int) -> None:
    async with house() as home:
        home.runtime.settings = Settings(limits=Limits(max_json_depth=1000))
        async with connected(home) as client:
            error = await client.refused("session.update", session=nested(levels))
            assert error["param"] == "session.tools.0.parameters"
            await client.configure(**nested(250))


async def test_one_response_at_a_time_is_in_the_conversation() -> None:
    async with house(tokens_per_second=5) as home, connected(home) as client:
        await client.send("response.create")
        assert (await client.refused("response.create"))["code"] == "conversation_already_has_active_response"


async def test_a_tool_is_called_and_its_result_is_answered() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(tools=[CLOCK], output_modalities=["text"])
        home.text.enqueue([Called("clock", '{"zone": "UTC"}'), "It is ten."])
        await client.write("What time is it?")
        await client.send("response.create")
        [call] = (await client.until("response.done"))["response"]["output"]
        assert (call["name"], call["arguments"], call["status"]) == ("clock", '{"zone": "UTC"}', "completed")
        assert "".join(event["delta"] for event in client.of("response.function_call_arguments.delta")) == call["arguments"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "22:00"}
        await client.send("conversation.item.create", item=output)
        await client.send("response.create")
        await client.until("response.done")
        messages = home.text.history[-1].messages
        assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]


async def test_what_is_said_before_a_call_is_spoken() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(tools=[CLOCK], tool_choice="auto")
        home.text.enqueue([Called("clock", "{}", "One moment.")])
        await client.send("response.create")
        said, call = (await client.until("response.done"))["response"]["output"]
        assert said["content"][0]["transcript"] == "One moment."
        assert call["type"] == "function_call"
        assert client.audio()
        indexes = [event["output_index"] for event in client.of("response.output_item.done")]
        assert indexes == [0, 1]


async def test_a_response_may_have_an_input_of_its_own() -> None:
    async with house() as home, connected(home) as client:
        await client.write("Never mind.", id="first")
        await client.write("Hello", id="second")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Classify it."}]}
        reference = {"type": "item_reference", "id": "second"}
        wanted = {"conversation": "none", "output_modalities": ["text"], "instructions": "X", "input": [reference, item]}
        await client.send("response.create", response=wanted)
        await client.until("response.done")
        assert [message["content"] for message in home.text.history[-1].messages] == ["X", "Hello", "Classify it."]


async def test_items_are_put_in_their_places_and_deleted() -> None:
    async with house() as home, connected(home) as client:
        await client.write("b", id="b")
        await client.send(
            "conversation.item.create",
            previous_item_id="root",
            item={"id": "a", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "a"}]},
        )
        assert (await client.until("conversation.item.done"))["item"]["id"] == "b"
        assert (await client.until("conversation.item.done"))["previous_item_id"] is None
        await client.send("conversation.item.delete", item_id="b")
        await client.until("conversation.item.deleted")
        assert (await client.refused("conversation.item.retrieve", item_id="b"))["param"] == "item_id"
        assert (await client.refused("conversation.item.create", item={"id": "a", "type": "function_call", "name": "x", "arguments": ""}))[
            "param"
        ] == "item.id"


async def test_an_answer_is_retrieved_as_far_as_it_is() -> None:
    async with house(tokens_per_second=20) as home, connected(home) as client:
        home.text.enqueue(["It burns. " * 200, "It is fine. " * 10])
        for cancelled, status in ((True, "incomplete"), (False, "completed")):
            await client.send("response.create")
            item = (await client.until("response.output_item.added"))["item"]["id"]
            assert await client.status(item) == "in_progress"
            if cancelled:
                await client.send("response.cancel")
            await client.until("response.done")
            assert await client.status(item) == status


async def test_an_answer_may_be_cut_short() -> None:
    async with house() as home, connected(home) as client:
        await client.send("response.create", response={"max_output_tokens": 3})
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]) == ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})


async def test_a_conversation_that_is_too_long_loses_its_beginning() -> None:
    async with house(max_model_len=128) as home, connected(home) as client:
        for number in range(20):
            await client.write(f"This is the message number {number} of many, and not the last.")
        await client.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 5})
        assert (await client.until("response.done"))["response"]["status"] == "incomplete"
        await client.configure(truncation="disabled")
        await client.send("response.create", response={"output_modalities": ["text"]})
        assert (await client.until("response.done"))["response"]["status_details"]["error"]["code"] == "context_length_exceeded"


async def test_a_voice_without_word_times_is_cut_by_length() -> None:
    async with house(speaker=Speaker(pace=0.3)) as home, connected(home) as client:
        await client.configure(audio={"output": {"voice": {"id": "mute"}}})
        home.text.enqueue(["One two three four five six seven eight."])
        home.now = 5.0
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.until("response.done")
        home.now = 6.0
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        item = client.of("response.output_item.added")[0]["item"]["id"]
        assert await client.transcript(item) == "One two three four"
