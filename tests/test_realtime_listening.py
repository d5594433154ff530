"""What is heard in a session: turns, codecs, silence and noise."""

from __future__ import annotations

import asyncio
import base64
import json

import numpy as np
import pytest

from tests.realtime import connected, house, pcm
from tests.test_realtime import TRANSCRIBE, TRANSCRIBED
from voice import g711

pytestmark = pytest.mark.anyio

CLOCK = {"type": "function", "name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {}}}


async def test_too_much_audio_is_refused() -> None:
    async with house() as home, connected(home) as client:
        await client.configure(audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}})
        data = base64.b64encode(bytes(290 * 8000)).decode()
        await client.send("input_audio_buffer.append", audio=data)
        assert (await client.refused("input_audio_buffer.append", audio=data))["code"] == "input_audio_buffer_full"
        error = await client.refused("input_audio_buffer.append", audio="A" * (15 * 2**20 + 4))
        assert error["param"] == "audio"
        assert len(json.dumps(error)) < 1000


async def test_a_noise_that_has_no_end_is_a_turn_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.realtime.ear.LONGEST_TURN", 3)
    async with house() as home, connected(home) as client:
        await client.say(4.0)
        await client.say(0.7, loud=False)
        for _ in range(2):
            await client.until("input_audio_buffer.committed")
        assert client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"] == pytest.approx(3000, abs=200)


async def test_after_a_commit_by_hand_a_detector_still_knows_the_time() -> None:
    async with house() as home, connected(home) as client:
        for _ in range(10):
            await client.say(0.3, loud=False)
            await client.send("input_audio_buffer.clear")
        await client.say(1.0)
        assert (await client.until("input_audio_buffer.speech_started"))["audio_start_ms"] == pytest.approx(3000, abs=40)
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        assert committed["item_id"] == client.of("input_audio_buffer.speech_started")[0]["item_id"]
        await client.send("response.create")
        await client.until("response.done")


@pytest.mark.parametrize("tag", ["en", "en_US", "english"])
async def test_a_language_goes_by_any_of_its_names(tag: str) -> None:
    async with house() as home, connected(home) as client:
        session = await client.configure(audio={"input": {"transcription": {"language": tag}, "turn_detection": None}})
        assert session["audio"]["input"]["transcription"]["language"] == "en"
        await client.say(0.5)
        await client.send("input_audio_buffer.commit")
        await client.until(TRANSCRIBED)
        assert home.listener
        assert home.listener.jobs[0].language == "en"


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


async def test_a_response_waits_for_the_transcript_of_audio_that_it_refers_to() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.hold = asyncio.Event()
        home.listener.script.append("Hello there.")
        audio = {"type": "input_audio", "audio": base64.b64encode(pcm(0.5)).decode()}
        item = {"id": "said", "type": "message", "role": "user", "content": [audio]}
        await client.send("conversation.item.create", item=item)
        wanted = {"output_modalities": ["text"], "input": [{"type": "item_reference", "id": "said"}]}
        await client.send("response.create", response=wanted)
        await client.until("response.created")
        await client.configure()  # so that it has begun
        home.listener.hold.set()
        await client.until("response.done")
        assert home.text.history[-1].messages[-1]["content"] == "Hello there."


async def test_a_session_has_so_many_recordings_transcribed_at_a_time() -> None:
    async with house() as home, connected(home) as client:
        assert home.listener
        home.listener.hold = asyncio.Event()
        audio = {"type": "input_audio", "audio": base64.b64encode(pcm(0.2)).decode()}
        item = {"type": "message", "role": "user", "content": [audio]}
        for _ in range(8):
            await client.send("conversation.item.create", item=item)
        assert (await client.refused("conversation.item.create", item=item))["code"] == "overloaded"
        home.listener.hold.set()


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


async def test_turns_may_be_detected_otherwise_while_somebody_speaks() -> None:
    async with house(ttft=2) as home, connected(home) as client:
        await client.say(0.5)
        await client.say(0.6, loud=False)
        await client.until("response.created")
        await client.configure(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
        await client.say(0.5)
        await client.until("input_audio_buffer.speech_started")
        await client.configure(audio={"input": {"turn_detection": {"type": "semantic_vad", "interrupt_response": False}}})
        await client.until("response.done")
        assert not home.sessions[0].conversation._hearing
