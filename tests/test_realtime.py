"""WS /v1/realtime with the official SDK."""

from __future__ import annotations

import pytest

from tests.realtime import connected, house

pytestmark = pytest.mark.anyio

ANSWERED = [
    *("response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added"),
    *("response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"),
    *("response.output_item.done", "conversation.item.done", "response.done"),
]
WRITTEN = [kind.replace("output_audio.done", "output_text.done") for kind in ANSWERED if kind != "response.output_audio_transcript.done"]


async def test_a_text_is_answered_with_audio_and_its_transcript() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue(["It is late. Go home."])
        await client.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
        )
        await client.connection.response.create()
        done = await client.until("response.done")
        assert client.kinds() == ["session.created", "conversation.item.added", "conversation.item.done", *ANSWERED]
        assert [event["delta"] for event in client.of("response.output_audio_transcript.delta")] == ["It is late. ", "Go home."]
        assert len(client.audio()) / 48000 == pytest.approx(0.05 * 19 + 0.3, abs=0.1)
        [item] = done["response"]["output"]
        assert item["content"] == [{"type": "output_audio", "transcript": "It is late. Go home."}]
        assert done["response"]["usage"]["output_tokens"] > 3
        assert home.text.history[-1].messages[-1]["content"] == "Hi"


async def test_a_text_is_answered_with_text() -> None:
    async with house() as home, connected(home) as client:
        home.text.enqueue(["It is late."])
        await client.send("response.create", response={"output_modalities": ["text"]})
        done = await client.until("response.done")
        assert client.kinds()[1:] == WRITTEN
        assert "".join(event["delta"] for event in client.of("response.output_text.delta")) == "It is late."
        assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "It is late."}]


HEARD = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
SPOKEN = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", *HEARD]
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
TRANSCRIBE = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}}


async def test_push_to_talk_waits_for_the_transcript() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append("What time is it?")
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await client.say(0.5)
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        assert client.kinds()[2:] == [*HEARD, *ANSWERED]
        assert home.text.history[-1].messages[-1]["content"] == "What time is it?"
        assert len(home.listener.jobs[0].samples) == pytest.approx(8000, abs=2)


async def test_speech_is_a_turn_and_is_answered() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.script.append("What time is it?")
        await client.send("session.update", session=TRANSCRIBE)
        await client.say(1.0, loud=False)
        await client.say(1.0)
        await client.say(1.0, loud=False)
        await client.until("response.done")
        assert client.kinds()[2:] == [*SPOKEN, TRANSCRIBED, *ANSWERED]
        started, stopped = client.of("input_audio_buffer.speech_started")[0], client.of("input_audio_buffer.speech_stopped")[0]
        assert started["audio_start_ms"] == pytest.approx(700, abs=40)
        assert stopped["audio_end_ms"] == pytest.approx(2500, abs=60)
        assert started["item_id"] == stopped["item_id"] == client.of("input_audio_buffer.committed")[0]["item_id"]
        told = client.of(TRANSCRIBED)[0]
        assert told["transcript"] == "What time is it?"
        assert told["usage"]["seconds"] == pytest.approx(1.5, abs=0.1)
        [job] = home.listener.jobs
        assert (job.language, job.urgent) == ("en", True)
