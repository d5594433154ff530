"""POST /v1/audio/speech as events: server-sent or a line each, with usage, word times and errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest

from models.speech.mock import SECONDS_PER_CHARACTER
from tests.servers import Server, serve

TEXT = "It costs $5. **Good** evening!"


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm", "stream_format": "jsonl", **changes}


def events(server: Server, **changes: Any) -> list[dict[str, Any]]:
    answer = httpx.post(f"{server.url}/v1/audio/speech", json=body(**changes)).raise_for_status()
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line]


def audio(found: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in found if event["type"] == "speech.audio.delta")


def bare(server: Server, **changes: Any) -> bytes:
    return httpx.post(f"{server.url}/v1/audio/speech", json=body(stream_format="audio", **changes)).content


def test_the_sdk_streams_server_sent_events(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    options = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "response_format": "pcm", "stream_format": "sse"}
    with client.audio.speech.with_streaming_response.create(**options) as answer:  # type: ignore[arg-type]
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    assert lines[1::2] == [""] * (len(lines) // 2)
    found = [json.loads(line.removeprefix("data: ")) for line in lines[::2]]
    assert [event["type"] for event in found] == ["speech.audio.delta"] * (len(found) - 1) + ["speech.audio.done"]
    assert all(event.keys() == {"type", "audio"} for event in found[:-1])
    assert audio(found) == bare(server)


@pytest.mark.parametrize("stream_format", ["sse", "jsonl"])
@pytest.mark.parametrize("format", ["pcm", "wav", "mp3", "opus", "flac", "aac"])
def test_joined_events_are_the_bare_audio(server: Server, stream_format: str, format: str) -> None:
    joined, whole = audio(events(server, stream_format=stream_format, response_format=format)), bare(server, response_format=format)
    # Ogg's serial number is by chance.
    assert len(joined) == len(whole) if format == "opus" else joined == whole


def test_usage_counts_characters_and_seconds(server: Server) -> None:
    found = events(server)
    seconds = len(audio(found)) / 2 / 24000
    used = found[-1]["usage"]
    assert used["seconds"] == pytest.approx(seconds, abs=0.001)
    assert (used["input_tokens"], used["total_tokens"]) == (len(TEXT), len(TEXT) + used["output_tokens"])
    assert used["output_tokens"] == pytest.approx(20 * seconds, abs=1)


@pytest.mark.parametrize("stream_format", ["sse", "jsonl"])
@pytest.mark.parametrize("format", ["pcm", "mp3"])
def test_words_are_told_with_their_place_and_time(server: Server, stream_format: str, format: str) -> None:
    found = events(server, timestamps="word", stream_format=stream_format, response_format=format)
    words = [word for event in found[:-1] for word in event["words"]]
    assert [word["word"] for word in words] == ["It", "costs", "$5", "Good", "evening"]
    assert all(TEXT[word["char_start"] : word["char_end"]] == word["word"] for word in words)
    assert words[2]["start"] == pytest.approx(len("It costs ") * SECONDS_PER_CHARACTER, abs=0.01)
    assert all(one["end"] <= other["start"] for one, other in pairwise(words))
    assert words[-1]["end"] <= found[-1]["usage"]["seconds"]


@pytest.fixture(scope="module")
def failing() -> Iterator[Server]:
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "mid_stream", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "fault"}
    with serve("mock", FIRESIDE_TEXT__ENGINE="none", **fault) as running:
        yield running


def test_an_error_after_the_first_event_is_the_last_event(failing: Server) -> None:
    failed = 'fireside_requests_total{outcome="engine_failed",route="/v1/audio/speech"}'
    found = events(failing, input="This is fine. This is a fault.")
    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["code"] == "engine_failed"
    assert "sentence 2" in found[-1]["error"]["message"]
    assert "speech.audio.done" not in {event["type"] for event in found}
    assert failing.metric(failed) == 1


def test_a_client_that_leaves_frees_the_engine(hanging: Server) -> None:
    with httpx.stream("POST", f"{hanging.url}/v1/audio/speech", json=body(input="This goes on for ever.")) as answer:
        lines = answer.iter_lines()
        next(lines)
        hanging.until('fireside_running{engine="speech"}', 1)
    hanging.until('fireside_running{engine="speech"}', 0)
