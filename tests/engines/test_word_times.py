"""Word times of a real voice, against an ear that knows nothing of them, and a model's tokens that are spoken while it writes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from difflib import SequenceMatcher
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from websockets.asyncio.client import connect

from tests.engines.whisper import heard_words, transcribe, word_error_rate
from tests.servers import Server

pytestmark = [pytest.mark.engines, pytest.mark.anyio]
TEXT = (
    "The old lighthouse stood at the edge of the **harbour**. Every evening the keeper climbed its narrow steps, lit the lamp, "
    "and watched the ships come home. On clear nights you could see it from far away 😀. Dr. Miller paid $5 for the oil."
)
SECOND_SENTENCE = re.compile(r"[a-z]{3}[.!?]\s+[^\n]{20}")


def spoken(server: Server) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Audio at 24 kHz and its words."""
    body = {"model": "tts-1", "input": TEXT, "response_format": "pcm", "stream_format": "jsonl", "timestamps": "word", "seed": 1}
    answer = httpx.post(f"{server.url}/v1/audio/speech", json=body, timeout=60).raise_for_status()
    events = [json.loads(line) for line in answer.text.splitlines()][:-1]
    audio = b"".join(base64.b64decode(event["audio"]) for event in events)
    return np.frombuffer(audio, "<i2"), [word for event in events for word in event["words"]]


def test_written_words_are_heard_when_they_are_said_to_be(real_server: Server) -> None:
    samples, words = spoken(real_server)
    assert [TEXT[word["char_start"] : word["char_end"]] for word in words] == [word["word"] for word in words]
    assert [word["word"] for word in words] == re.findall(r"\$?\w+", TEXT)
    heard = heard_words(samples, 24000)
    told, found = [_form(word["word"]) for word in words], [_form(word) for word, _, _ in heard]
    apart = [
        (abs(words[block.a + step]["start"] - heard[block.b + step][1]), abs(words[block.a + step]["end"] - heard[block.b + step][2]))
        for block in SequenceMatcher(None, told, found).get_matching_blocks()
        for step in range(block.size)
    ]
    assert len(apart) > 0.8 * len(words)
    starts, ends = np.median(np.array(apart), axis=0)
    assert starts < 0.1
    assert ends < 0.1


def _form(word: str) -> str:
    return re.sub(r"\W", "", word).lower().replace("harbour", "harbor")


async def test_what_a_model_writes_is_spoken_while_it_writes(real_server: Server) -> None:
    """The writer goes on behind its first sentence once that is heard: were speech to wait for the end, none would ever come."""
    client = openai.AsyncOpenAI(base_url=f"{real_server.url}/v1", api_key="none")
    question: Any = [{"role": "user", "content": "What is the capital of France? Then tell me three facts about it."}]
    said: list[str] = []
    heard_something = asyncio.Event()

    async def write(ws: Any) -> None:
        stream = await client.chat.completions.create(model="gpt-4o-mini", messages=question, temperature=0, max_tokens=90, stream=True)
        async for chunk in stream:
            said.append(chunk.choices[0].delta.content or "")
            await ws.send(json.dumps({"type": "text", "text": said[-1]}))
            if SECOND_SENTENCE.search("".join(said)):
                await asyncio.wait_for(heard_something.wait(), 60)
        await ws.send(json.dumps({"type": "end"}))

    address = real_server.url.replace("http", "ws") + "/v1/audio/speech/stream"
    async with client, connect(address, max_size=None, compression=None) as ws:
        await ws.send(json.dumps({"type": "configure", "seed": 1}))
        writing = asyncio.create_task(write(ws))
        audio, sentences, done = b"", [], {}
        while not done:
            event = json.loads(await asyncio.wait_for(ws.recv(), 120))
            if event["type"] == "audio":
                audio += await ws.recv()
                heard_something.set()
            elif event["type"] == "sentence.started":
                sentences.append(event["text"])
            elif event["type"] == "done":
                done = event
        await writing
    assert done["status"] == "completed"
    assert done["samples"] == len(audio) / 2
    assert "".join(sentences) == "".join(said)
    assert SECOND_SENTENCE.search("".join(said)), "an answer in which there was something to wait for"
    heard = transcribe(np.frombuffer(audio, "<i2"), 24000)
    assert "Paris" in heard
    assert word_error_rate("".join(said), heard) <= 0.15, heard
