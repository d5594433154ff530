"""A chat answer that is spoken, on the real engines: what is heard is what was written."""

from __future__ import annotations

import base64
import io

import av
import numpy as np
import openai
import pytest

from tests.engines.whisper import transcribe, word_error_rate
from tests.servers import Server

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ALOUD = "What can you tell me about the city of Paris?"
NOTHING_RUNS = ('fireside_running{engine="text"}', 'fireside_running{engine="speech"}', 'fireside_waiting{engine="speech"}')


@pytest.fixture
def client(real_server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{real_server.url}/v1", api_key="none", max_retries=0)


def ask(client: openai.OpenAI, format: str, **more: object) -> object:
    audio = {"voice": "alloy", "format": format, "seed": 1}
    return client.chat.completions.create(  # type: ignore[call-overload]
        model="gpt-4o-mini", messages=QUESTION, modalities=["text", "audio"], audio=audio, temperature=0, max_tokens=40, **more
    )


def test_streamed_it_is_heard_as_it_is_written(client: openai.OpenAI) -> None:
    pieces = [chunk.choices[0].delta.audio for chunk in ask(client, "pcm16", stream=True) if chunk.choices]  # type: ignore[attr-defined]
    told = [piece for piece in pieces if piece]
    transcript = "".join(piece.transcript or "" for piece in told)
    samples = np.frombuffer(base64.b64decode("".join(piece.data or "" for piece in told)), "<i2")
    assert "Paris" in transcript
    heard = transcribe(samples, 24000)
    assert word_error_rate(transcript, heard) <= 0.1, heard


def test_whole_it_is_an_mp3_that_says_it(client: openai.OpenAI) -> None:
    audio = ask(client, "mp3").choices[0].message.audio  # type: ignore[attr-defined]
    with av.open(io.BytesIO(base64.b64decode(audio.data))) as file:
        frames = list(file.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
    heard = transcribe(samples, frames[0].sample_rate)
    assert word_error_rate(audio.transcript, heard) <= 0.1, heard


def test_the_model_remembers_what_it_said(client: openai.OpenAI, real_server: Server) -> None:
    audio = ask(client, "wav").choices[0].message.audio  # type: ignore[attr-defined]
    texts = [{"role": "assistant", "audio": {"id": audio.id}}, {"role": "assistant", "content": audio.transcript}]
    tokens = [
        client.chat.completions.create(model="gpt-4o-mini", messages=[*QUESTION, text, *QUESTION], max_tokens=1).usage.prompt_tokens  # type: ignore
        for text in texts
    ]
    assert tokens[0] == tokens[1]


def test_a_client_that_leaves_frees_both_engines(client: openai.OpenAI, real_server: Server) -> None:
    with client.chat.completions.create(  # type: ignore[call-overload]
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Tell me a long story about a lighthouse."}],
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "pcm16"},
        max_tokens=1000,
        stream=True,
    ) as stream:
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.audio and chunk.choices[0].delta.audio.data:
                break
    for name in NOTHING_RUNS:
        real_server.until(name, 0)


def test_a_spoken_question_is_understood_and_answered_aloud(client: openai.OpenAI) -> None:
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input=ALOUD, response_format="wav", extra_body={"seed": 1})
    data = base64.b64encode(spoken.content).decode()
    question = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}]
    answer = client.chat.completions.create(  # type: ignore[call-overload]
        model="gpt-4o-mini",
        messages=question,
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "mp3"},
        temperature=0,
        max_tokens=40,
    )
    assert "Paris" in answer.choices[0].message.audio.transcript
