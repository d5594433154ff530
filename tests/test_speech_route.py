"""POST /v1/audio/speech and GET /v1/audio/voices with the official SDK, on a real server with mock engines."""

from __future__ import annotations

import io

import av
import httpx
import numpy as np
import openai
import pytest

from tests.servers import Server

TEXT = "Hello there. This is spoken, sentence by sentence. Goodbye."


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def decoded(data: bytes) -> tuple[float, int]:
    """Seconds and rate of an audio file."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    return sum(frame.samples for frame in frames) / frames[0].sample_rate, frames[0].sample_rate


def pcm_seconds(client: openai.OpenAI, **options: object) -> float:
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm", **options)  # type: ignore[arg-type]
    return len(spoken.content) / 2 / 24000


@pytest.mark.parametrize(
    ("format", "content_type"),
    [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("aac", "audio/aac"), ("flac", "audio/flac"), ("wav", "audio/wav")],
)
def test_every_format_decodes_to_the_same_length(client: openai.OpenAI, format: str, content_type: str) -> None:
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=format)  # type: ignore[arg-type]
    assert spoken.response.headers["content-type"] == content_type
    assert decoded(spoken.content)[0] == pytest.approx(pcm_seconds(client), abs=0.15)


def test_pcm_is_16_bit_24_khz_mono(client: openai.OpenAI) -> None:
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm")
    samples = np.frombuffer(spoken.content, "<i2")
    assert spoken.response.headers["content-type"] == "audio/pcm"
    assert np.abs(samples).max() > 1000


def test_it_streams(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=TEXT * 20, response_format="pcm") as spoken:
        assert "content-length" not in spoken.headers
        assert len(list(spoken.iter_bytes(4096))) > 10


def test_speed(client: openai.OpenAI) -> None:
    assert pcm_seconds(client, speed=2.0) < 0.65 * pcm_seconds(client)


def test_the_same_seed_gives_the_same_audio(client: openai.OpenAI) -> None:
    one, two = (
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="pcm", extra_body={"seed": 7}).content
        for _ in range(2)
    )
    assert one == two


def test_a_voice_may_be_an_object(server: Server) -> None:
    body = {"model": "tts-1", "voice": {"id": "alloy"}, "input": "Hello."}
    assert httpx.post(f"{server.url}/v1/audio/speech", json=body).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"input": ""}, 400, "input is empty"),
        ({"input": "x" * 4097}, 400, "at most 4096"),
        ({"voice": "bob"}, 400, "unknown voice 'bob'"),
        ({"model": "tts-9"}, 404, "`tts-9` does not exist"),
        ({"speed": 5}, 400, "speed: Input should be less than or equal to 4"),
        ({"response_format": "midi"}, 400, "'mp3', 'opus'"),
        ({"input": None}, 400, "input"),
    ],
)
def test_bad_input_is_refused_before_the_first_byte(server: Server, change: dict[str, object], status: int, told: str) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello.", **change}
    answer = httpx.post(f"{server.url}/v1/audio/speech", json=body)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_bad_json_is_told_as_openai_does(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/audio/speech", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_voices_say_what_they_are(server: Server) -> None:
    listed = server.get("/v1/audio/voices").json()
    assert {"id", "model", "language", "licence", "sample_rate"} <= listed["data"][0].keys()
    assert "alloy" in listed["aliases"]
