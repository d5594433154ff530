"""What a session is configured with, what it refuses, and what becomes of it when something fails."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest
import websockets

from models.errors import EngineDied, EngineFailed, NotReady
from models.text.mock_replies import Called
from tests.realtime import Speaker, connected, house, pcm, serving
from tests.test_realtime import ANSWERED, TRANSCRIBE, TRANSCRIBED
from voice import g711

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


async def test_too_much_audio_is_refused() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}})
        data = base64.b64encode(bytes(290 * 8000)).decode()
        await client.send("input_audio_buffer.append", audio=data)
        assert (await client.refused("input_audio_buffer.append", audio=data))["code"] == "input_audio_buffer_full"
        error = await client.refused("input_audio_buffer.append", audio="A" * (15 * 2**20 + 4))
        assert error["param"] == "audio"
        assert len(json.dumps(error)) < 1000


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


async def test_audio_in_an_item_is_transcribed() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append("Hello there.")
        await client.send("session.update", session=TRANSCRIBE)
        audio = {"type": "input_audio", "audio": base64.b64encode(pcm(0.5)).decode()}
        text = {"type": "input_text", "text": "He said:"}
        await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text, audio]})
        assert (await client.until(TRANSCRIBED))["content_index"] == 1
        await client.send("response.create")
        await client.until("response.done")
        assert home.text.history[-1].messages[-1]["content"] == "He said: Hello there."


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


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
async def test_the_telephone_s_codecs_are_heard_and_spoken(law: g711.Law) -> None:
    async with house() as home, connected(home) as client:
        telephone = {"format": {"type": f"audio/{law}"}}
        await client.configure(audio={"input": telephone, "output": telephone})
        for loud, seconds in ((False, 0.5), (True, 1.0), (False, 0.8)):
            data = g711.encode(np.frombuffer(pcm(seconds, loud=loud, rate=8000), np.int16), law)
            await client.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())
        transcript = (await client.until("response.output_audio_transcript.done"))["transcript"]
        await client.until("response.done")
        heard = g711.decode(client.audio(), law)
        assert len(heard) / 8000 >= 0.05 * len(transcript.strip())
        assert np.median(heard[heard > 1000]) == pytest.approx(5000, rel=0.05)
        assert client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] == pytest.approx(200, abs=50)


async def test_who_is_not_done_by_what_he_said_is_waited_for() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.extend(["I want the", "I want the blue one.", "Yes."])
        await client.configure(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
        for number in (1, 2):
            await client.say(0.5)
            await client.say(0.3, loud=False)
            while len(home.listener.jobs) < number or home.listener.running:
                await asyncio.sleep(0.005)
            await client.say(0.4, loud=False)
        await client.until("response.done")
        assert client.kinds().count("input_audio_buffer.committed") == 1
        assert home.text.history[-1].messages[-1]["content"] == "I want the blue one."
        assert client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"] < 2400


async def test_a_transcript_is_begun_before_the_turn_is_over_and_dropped_if_it_was_not() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.extend(["One", "One two."])
        await client.say(0.5)
        await client.say(0.3, loud=False)
        while not home.listener.jobs:
            await asyncio.sleep(0.005)
        await client.say(0.5)
        await client.say(0.6, loud=False)
        await client.until("response.done")
        assert [len(job.samples) / 16000 for job in home.listener.jobs] == pytest.approx([0.7, 1.5], abs=0.05)
        assert home.text.history[-1].messages[-1]["content"] == "One two."


async def test_several_turns_in_one_frame_are_each_heard() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}})
        data = b"".join(pcm(seconds, loud=loud) for _ in range(3) for loud, seconds in ((True, 0.9), (False, 0.7)))
        await client.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())
        for _ in range(3):
            await client.until("input_audio_buffer.committed")
        assert home.listener
        assert [len(job.samples) / 16000 for job in home.listener.jobs] == pytest.approx([1.1, 1.3, 1.3], abs=0.15)


async def test_noise_without_words_is_not_answered() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append("")
        await client.send("session.update", session=TRANSCRIBE)
        await client.say(0.5)
        await client.say(0.7, loud=False)
        assert (await client.until(TRANSCRIBED))["transcript"] == ""
        await client.configure()
        assert "response.created" not in client.kinds()


async def test_who_says_nothing_is_prompted_once() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(
            output_modalities=["text"], audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 100}}}
        )
        await client.send("response.create")
        await client.until("response.done")
        await client.until("input_audio_buffer.timeout_triggered")
        await client.until("response.done")
        assert home.text.history[-1].messages[-1]["content"] == "[silence]"
        await asyncio.sleep(0.3)
        await client.configure()
        assert len(client.of("input_audio_buffer.timeout_triggered")) == 1


async def test_what_was_heard_is_dropped_on_demand() -> None:
    async with house() as home, connected(home) as client:
        await client.say(0.5)
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.say(0.7, loud=False)
        await client.configure()
        assert "input_audio_buffer.committed" not in client.kinds()


async def test_an_answer_that_cannot_be_spoken_fails_and_the_session_goes_on() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue(["It is fine. Now I fail here. And go on.", "Fine."])
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status_details"]["error"]["code"] == "engine_failed"
        assert client.kinds()[1:] == ANSWERED
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert home.text.history[-1].messages[-1]["content"] == "It is fine. Now I fail here"


async def test_an_answer_that_cannot_be_written_fails_and_the_session_goes_on() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue([EngineFailed("out of luck")])
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status"] == "failed"
        assert "out of luck" in done["status_details"]["error"]["message"]
        await client.configure()


@pytest.mark.parametrize("told", [True, False])
async def test_a_turn_that_cannot_be_transcribed_is_told(told: bool) -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append(EngineDied("the listener died"))
        if told:
            await client.send("session.update", session=TRANSCRIBE)
        await client.say(0.5)
        await client.say(0.7, loud=False)
        event = await client.until("conversation.item.input_audio_transcription.failed" if told else "error")
        assert event["error"]["code"] == "engine_died"
        await client.say(0.5)
        await client.say(0.7, loud=False)
        await client.until("response.done")


async def test_without_a_listener_text_is_answered_and_audio_refused() -> None:
    async with house(listener=None) as home, connected(home) as client:
        assert client.events[0]["session"]["audio"]["input"]["turn_detection"] is None
        error = await client.refused("input_audio_buffer.append", audio="AAAA")
        assert "no listening engine" in error["message"]
        await client.refused("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")


async def test_without_a_speaker_answers_are_text() -> None:
    async with house(speaker=None) as home, connected(home) as client:
        assert client.events[0]["session"]["output_modalities"] == ["text"]
        error = await client.refused("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
        assert error["param"] == "session.output_modalities"
        await client.refused("response.create", response={"output_modalities": ["audio"]})
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["output"][0]["content"][0]["type"] == "output_text"


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


@pytest.mark.parametrize(("model", "code"), [("nobody", 1007), ("gpt-4o", None)])
async def test_a_model_that_there_is_not_is_refused_at_once(model: str, code: int | None) -> None:
    async with house() as home, serving(home) as url, websockets.connect(f"ws{url[4:]}/realtime?model={model}") as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == ("error" if code else "session.created")
        if code:
            assert first["error"]["code"] == "model_not_found"
            await socket.wait_closed()
            assert socket.close_code == code


async def test_a_server_that_is_not_ready_says_so_and_closes() -> None:
    async with house() as home:

        def loading() -> Any:
            raise NotReady("the model is loading")

        home.runtime.require_text = loading
        async with serving(home) as url, websockets.connect(f"ws{url[4:]}/realtime", subprotocols=["realtime"]) as socket:  # type: ignore[list-item]
            assert json.loads(await socket.recv())["error"]["code"] == "not_ready"
            await socket.wait_closed()
            assert (socket.close_code, socket.subprotocol) == (1013, "realtime")
