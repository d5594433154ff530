"""Recordings in the messages of /v1/chat/completions, on a real server with mock engines."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.servers import Server, serve

SAID = "What is the capital of France?"
SECONDS = 'fireside_heard_seconds_total{route="/v1/chat/completions"}'


def recording(seconds: float = 1.0, loud: int = 8000) -> str:
    """A tone, as WAV in base64."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((loud * np.sin(np.arange(int(seconds * 16000)) / 20)).astype("<i2").tobytes())
    return base64.b64encode(made.getvalue()).decode()


def heard(data: Any, *before: dict[str, str]) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": "Answer this."}, {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]
    return [*before, {"role": "user", "content": parts}]


def written(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "Answer this."}, {"type": "text", "text": text}]}]


@pytest.fixture(scope="module")
def listener() -> Iterator[Server]:
    with serve("mock", FIRESIDE_LISTENING__MOCK__REPLIES=json.dumps([SAID] * 50)) as running:
        yield running


def post(server: Server, messages: list[dict[str, Any]], **more: Any) -> httpx.Response:
    body = {"model": "mock-text", "messages": messages, "temperature": 0} | more
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=30)


def test_the_model_reads_what_is_said(listener: Server) -> None:
    by_ear, by_eye = (post(listener, messages).json() for messages in (heard(recording()), written(SAID)))
    assert by_ear["choices"] == by_eye["choices"]
    assert by_ear["usage"] == by_eye["usage"]


def test_an_answer_to_it_can_be_spoken(listener: Server) -> None:
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    message = post(listener, heard(recording()), **spoken).json()["choices"][0]["message"]
    assert message["audio"]["transcript"] == post(listener, written(SAID)).json()["choices"][0]["message"]["content"]


def test_what_comes_again_is_not_listened_to_again(listener: Server) -> None:
    data = recording(1.5)
    before = listener.metric(SECONDS)
    post(listener, heard(data))
    assert listener.metric(SECONDS) == pytest.approx(before + 1.5)
    post(listener, [*heard(data), {"role": "assistant", "content": "Paris."}, {"role": "user", "content": "Sure?"}])
    assert listener.metric(SECONDS) == pytest.approx(before + 1.5)


@pytest.mark.parametrize(
    ("data", "param", "words"),
    [
        ("?", "messages.1.content.1.input_audio.data", "in base64; got '?'"),
        (None, "messages.1.content.1.input_audio.data", "got None"),
        (base64.b64encode(b"no sound at all").decode(), "messages.1.content.1.input_audio", "cannot be read as audio"),
        (recording(loud=0), "messages.1.content.1.input_audio", "nothing is said in it"),
    ],
)
def test_what_cannot_be_heard_is_refused(listener: Server, data: Any, param: str, words: str) -> None:
    answer = post(listener, heard(data, {"role": "system", "content": "Be brief."}))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert words in error["message"]


def test_it_is_not_listened_to_where_the_rest_is_refused(listener: Server) -> None:
    before = listener.metric(SECONDS)
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "nobody", "format": "wav"}}
    assert post(listener, heard(recording(2.5)), **spoken).json()["error"]["code"] == "voice_not_found"
    assert listener.metric(SECONDS) == before


def test_a_client_that_leaves_is_not_listened_to() -> None:
    with serve("mock", FIRESIDE_LISTENING__MOCK__REALTIME_FACTOR="60") as server:
        body = {"model": "mock-text", "messages": heard(recording())}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=1)
        server.until('fireside_running{engine="listening"}', 0)
        server.until('fireside_requests_total{outcome="cancelled",route="/v1/chat/completions"}', 1)


def test_without_a_listening_engine_the_text_engine_decides() -> None:
    with serve("mock", FIRESIDE_LISTENING__ENGINE="none") as deaf:
        answer = post(deaf, heard(recording()))
        assert answer.status_code == 400
        assert "not a multimodal model" in answer.json()["error"]["message"]
        spoken = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
        assert "not a multimodal model" in post(deaf, heard(recording()), **spoken).json()["error"]["message"]
