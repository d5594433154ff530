"""Conversations with the real engines by OpenAI's own clients: Whisper and silero hear, vLLM answers, Coqui speaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest
import soxr
from agents import realtime
from openai import AsyncOpenAI

from tests.engines.whisper import transcribe, word_error_rate
from tests.realtime import Client, pcm
from tests.servers import Server
from voice import g711

pytestmark = [pytest.mark.engines, pytest.mark.anyio, pytest.mark.timeout(600)]

QUESTION = "What can you tell me about the city of Paris?"  # every word of which Whisper base hears right from this voice
SKY = "Why is the sky blue?"
HALF = "I went to the shop and"
STORY = "Tell me a long story about a lighthouse."
STOP = f"Stop, that is enough. {QUESTION}"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
HEARS = {"transcription": {"language": "en"}}
IDLE = tuple(f'fireside_{kind}{{engine="{engine}"}}' for kind in ("running", "waiting") for engine in ("text", "speech", "listening"))
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"], "additionalProperties": False},
}


@pytest.fixture(scope="module")
def spoken(real_server: Server) -> dict[str, bytes]:
    return {text: _spoken(real_server, text) for text in (QUESTION, SKY, HALF, STORY, STOP)}


def _spoken(server: Server, text: str) -> bytes:
    wanted = {"model": "tts-1", "input": text, "response_format": "pcm", "seed": 1}
    return httpx.post(f"{server.url}/v1/audio/speech", json=wanted, timeout=60).content


@asynccontextmanager
async def talking(server: Server, *, hears: dict[str, Any] = HEARS, **session: Any) -> AsyncIterator[Client]:
    """At the end nothing is left in the making."""
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as sdk, sdk.realtime.connect(model="gpt-realtime") as connection:
        client = Client(connection, patience=120)
        await client.until("session.created")
        await client.configure(max_output_tokens=60, audio={"input": hears}, **session)
        yield client
    for name in IDLE:
        await asyncio.to_thread(server.until, name, 0)


@asynccontextmanager
async def microphone(hear: Callable[[bytes], Awaitable[None]]) -> AsyncIterator[None]:
    """Nobody speaks, on the clock."""

    async def silence() -> None:
        while True:
            await hear(pcm(0.1, loud=False))
            await asyncio.sleep(0.1)

    task = asyncio.create_task(silence())
    yield
    task.cancel()


def said(client: Client, number: int = -1) -> str:
    return str(client.of("response.output_audio_transcript.done")[number]["transcript"])


def heard(client: Client) -> str:
    """What Whisper hears of all answers."""
    return transcribe(np.frombuffer(client.audio(), "<i2"), 24000)


async def test_a_spoken_question_is_answered_aloud(real_server: Server, spoken: dict[str, bytes]) -> None:
    async with talking(real_server) as client:
        await client.hear(spoken[SKY] + pcm(1.0, loud=False))
        await client.until("response.done")
        assert word_error_rate(SKY, client.of(TRANSCRIBED)[0]["transcript"]) == 0
        assert "light" in said(client)
        assert word_error_rate(said(client), text := heard(client)) <= 0.1, text


async def test_a_finished_question_is_a_turn_and_half_of_one_is_not(real_server: Server, spoken: dict[str, bytes]) -> None:
    async with talking(real_server, hears=HEARS | {"turn_detection": {"type": "semantic_vad", "eagerness": "medium"}}) as client:
        ends = []
        for text in (HALF, QUESTION):
            await client.hear(spoken[text])
            async with microphone(client.hear):
                ends.append((await client.until("input_audio_buffer.speech_stopped"))["audio_end_ms"])
                begin = client.of("input_audio_buffer.speech_started")[-1]["audio_start_ms"]
                ends[-1] -= begin + len(spoken[text]) / 48
        half, whole = ends
        assert whole < 2000 < half
        await client.until("response.done")
        assert client.of(TRANSCRIBED)[0]["transcript"].lower().startswith(HALF.lower())
        assert word_error_rate(QUESTION, client.of(TRANSCRIBED)[-1]["transcript"]) == 0


async def test_a_telephone_is_understood_by_push_to_talk(real_server: Server, spoken: dict[str, bytes]) -> None:
    law = {"type": "audio/pcmu"}
    audio = {"input": HEARS | {"turn_detection": None, "format": law}, "output": {"format": law}}
    async with talking(real_server) as client:
        await client.configure(audio=audio)
        await client.hear(g711.encode(soxr.resample(np.frombuffer(spoken[QUESTION], "<i2"), 24000, g711.RATE), "pcmu"))
        await client.send("input_audio_buffer.commit")
        assert word_error_rate(QUESTION, (await client.until(TRANSCRIBED))["transcript"]) == 0
        await client.send("response.create")
        await client.until("response.done")
        samples = g711.decode(client.audio(), "pcmu")
        assert word_error_rate(said(client), text := transcribe(samples, g711.RATE)) <= 0.15, text


async def test_who_speaks_interrupts_a_story_in_the_making_and_is_answered(real_server: Server, spoken: dict[str, bytes]) -> None:
    async with talking(real_server) as client:
        await client.configure(max_output_tokens=1000)
        await client.hear(spoken[STORY] + pcm(1.0, loud=False))
        await client.until("response.output_audio.delta")
        await client.hear(spoken[STOP] + pcm(1.0, loud=False))
        story = (await client.until("response.done"))["response"]
        assert story["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await client.until("response.done")
        assert QUESTION in client.of(TRANSCRIBED)[-1]["transcript"]
        kept = await client.transcript(story["output"][0]["id"])
        assert said(client, 0).startswith(kept)
        assert len(kept) < len(said(client, 0))


async def test_a_tool_is_called_and_its_answer_told(real_server: Server, spoken: dict[str, bytes]) -> None:
    async with talking(real_server, tools=[WEATHER]) as client:
        await client.write("What is the weather in Oslo?")
        await client.send("response.create", response={"tool_choice": {"type": "function", "name": "weather"}, "max_output_tokens": 100})
        [call] = (await client.until("response.done"))["response"]["output"]
        assert call["name"] == "weather"
        json.loads(call["arguments"])  # so small a model keeps to no schema
        answer = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"weather": "snow"}'}
        await client.send("conversation.item.create", item=answer)
        await client.send("response.create", response={"tool_choice": "auto"})
        await client.until("response.done")
        assert "snow" in said(client).lower()


async def test_the_agents_sdk_holds_a_spoken_conversation(real_server: Server, spoken: dict[str, bytes]) -> None:
    agent = realtime.RealtimeAgent(name="Ada", instructions="You are a helpful assistant.")
    url = f"ws{real_server.url[4:]}/v1/realtime?model=gpt-realtime"
    config: Any = {"url": url, "api_key": "none", "initial_model_settings": {"max_output_tokens": 60}}
    async with await realtime.RealtimeRunner(agent).run(model_config=config) as session:
        await session.send_audio(spoken[QUESTION])
        audio = b""
        async with microphone(session.send_audio):
            async for event in session:
                assert event.type != "error", event
                audio += event.audio.data if event.type == "audio" else b""
                if event.type == "agent_end":
                    break
        texts = [getattr(part, "transcript", None) for item in session._history for part in getattr(item, "content", ())]
    assert word_error_rate(QUESTION, texts[0] or "") == 0
    assert "Paris" in transcribe(np.frombuffer(audio, "<i2"), 24000)
