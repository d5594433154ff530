"""POST /v1/audio/speech and GET /v1/audio/voices with the official SDK, on a real server with mock engines."""

from __future__ import annotations

import io
import json
from contextlib import AbstractContextManager

import av
import httpx
import numpy as np
import openai
import pytest

from tests.servers import Server

TEXT = "Hello there. This is spoken, sentence by sentence. Goodbye."
RUNNING, WAITING = 'fireside_running{engine="speech"}', 'fireside_waiting{engine="speech"}'


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


def test_it_streams(hanging: Server) -> None:
    client = openai.OpenAI(base_url=f"{hanging.url}/v1", api_key="none", max_retries=0, timeout=60)
    create = client.audio.speech.with_streaming_response.create
    with create(model="tts-1", voice="alloy", input="This goes on for ever.", response_format="pcm") as spoken:
        assert "content-length" not in spoken.headers
        pieces = spoken.iter_bytes()
        assert next(pieces)
        assert hanging.metric(RUNNING) == 1


def test_a_client_that_leaves_in_mid_stream_frees_the_engine(hanging: Server) -> None:
    body = {"model": "tts-1", "input": "This goes on for ever. " * 4, "response_format": "pcm"}
    with httpx.stream("POST", f"{hanging.url}/v1/audio/speech", json=body) as answer:
        pieces = answer.iter_bytes()  # dropping it would close the connection
        next(pieces)
        hanging.until(WAITING, 2)
    hanging.until(RUNNING, 0)
    hanging.until(WAITING, 0)


def test_requests_with_the_same_id_do_not_meet(hanging: Server) -> None:
    def spoken(text: str) -> AbstractContextManager[httpx.Response]:
        body = {"model": "tts-1", "input": text, "response_format": "pcm"}
        return httpx.stream("POST", f"{hanging.url}/v1/audio/speech", json=body, headers={"x-request-id": "same"})

    with spoken("This goes on for ever.") as one:
        pieces = one.iter_bytes()
        next(pieces)
        with spoken("Hello.") as other:
            assert (other.status_code, other.headers["x-request-id"]) == (200, "same")
            assert other.read()


def test_a_long_first_sentence_begins_with_its_first_clause(server: Server) -> None:
    def pauses(text: str) -> int:
        """Stretches of silence inside the tone."""
        body = {"model": "tts-1", "input": text, "response_format": "pcm"}
        samples = np.frombuffer(httpx.post(f"{server.url}/v1/audio/speech", json=body).content, "<i2")
        quiet = np.abs(samples[: len(samples) // 1200 * 1200].reshape(-1, 1200)).max(axis=1) == 0
        return int(np.sum(quiet[1:] & ~quiet[:-1]))

    clause = "When the rain finally stopped, she went out"
    assert (pauses(f"{clause}."), pauses(f"{clause} and looked for the others who had been waiting for her by the old bridge.")) == (0, 1)


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
        ({"seed": 10**30}, 400, "seed: Input should be less than"),
        ({"speed": 5}, 400, "speed: Input should be less than or equal to 4"),
        ({"response_format": "midi"}, 400, "'mp3', 'opus'"),
        ({"input": None}, 400, "input"),
        ({"input": "Hi \ud83d there. More."}, 400, r"input has \ud83d at character 3"),
        ({"model": "\ud83d"}, 404, "does not exist"),
        ({"language": "en-\ud83d"}, 400, r"language has \ud83d at character 3"),
        ({"stream_format": "xml"}, 400, "'audio', 'sse' or 'jsonl'"),
        ({"timestamps": "word"}, 400, "ask for stream_format sse or jsonl"),
        ({"timestamps": "letter", "stream_format": "sse"}, 400, "timestamps"),
        ({"input": "***", "stream_format": "sse"}, 400, "nothing that can be spoken"),
    ],
)
def test_bad_input_is_refused_before_the_first_byte(server: Server, change: dict[str, object], status: int, told: str) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello.", **change}
    # Not httpx's own JSON, which refuses to send half a surrogate pair.
    answer = httpx.post(f"{server.url}/v1/audio/speech", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_a_text_without_words_is_refused_in_every_format(server: Server, format: str) -> None:
    body = {"model": "tts-1", "input": "***", "response_format": format}
    answer = httpx.post(f"{server.url}/v1/audio/speech", json=body)
    assert answer.status_code == 400
    assert "nothing that can be spoken" in answer.json()["error"]["message"]


@pytest.mark.parametrize("text", ["😀", "...", "—", "<br>", "![](a.png)"])
@pytest.mark.parametrize("normalize", [True, False])
def test_there_is_audio_or_a_refusal(server: Server, text: str, normalize: bool) -> None:
    body = {"model": "tts-1", "input": text, "response_format": "pcm", "normalize": normalize}
    answer = httpx.post(f"{server.url}/v1/audio/speech", json=body)
    assert (answer.status_code, len(answer.content) > 2000) in {(200, True), (400, False)}


@pytest.mark.parametrize("text", ["***\n\nAfter the rule.", "€", "😀 Hello."])
def test_signs_are_no_obstacle_where_something_can_be_said(server: Server, text: str) -> None:
    answer = httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": text, "response_format": "pcm"})
    assert (answer.status_code, len(answer.content) > 2000) == (200, True)


@pytest.mark.parametrize(
    ("body", "told"),
    [(b"{", "no JSON (at character 1: Expecting property name"), (b'{"input": "\xff"}', "not UTF-8 (at byte 11)"), (b"[]", "body:")],
)
def test_a_body_that_is_no_json_object_is_told_as_openai_does(server: Server, body: bytes, told: str) -> None:
    answer = httpx.post(f"{server.url}/v1/audio/speech", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] is None
    assert told in answer.json()["error"]["message"]


def test_voices_say_what_they_are(server: Server) -> None:
    listed = server.get("/v1/audio/voices").json()
    assert {"id", "model", "language", "licence", "sample_rate"} <= listed["data"][0].keys()
    assert "alloy" in listed["aliases"]


def test_a_language_that_the_voice_does_not_speak_is_refused_and_its_own_is_not(server: Server) -> None:
    body = {"model": "tts-1", "input": TEXT, "response_format": "wav"}
    refused = httpx.post(f"{server.url}/v1/audio/speech", json={**body, "language": "de"})
    assert refused.status_code == 400
    assert "does not speak 'de'. Expected en" in refused.json()["error"]["message"]
    assert httpx.post(f"{server.url}/v1/audio/speech", json={**body, "language": "en-GB"}).status_code == 200


def test_voices_tell_their_languages(server: Server) -> None:
    assert {tuple(voice["languages"]) for voice in httpx.get(f"{server.url}/v1/audio/voices").json()["data"]} == {("en",)}
