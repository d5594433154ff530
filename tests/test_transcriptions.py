"""Transcriptions and translations as OpenAI's client asks for them, on the mock behind a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest
from openai import OpenAI

from tests.recordings import FORMATS, recording, tone
from tests.servers import Server, serve
from voice.wav import header

TONE = recording("wav", tone(4, 16000), 16000)
HANGS = "for ever"
RUNNING = 'fireside_running{engine="listening"}'


@pytest.fixture(scope="module")
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """Small limits, and a prompt that makes it hang."""
    limits = {"MAX_SECONDS": "10", "MAX_BYTES": "600000", "MAX_WAITING": "1", "MOCK__FAULT__KIND": "hang", "MOCK__FAULT__MATCH": HANGS}
    with serve("mock", FIRESIDE_TEXT__ENGINE="none", **{f"FIRESIDE_LISTENING__{name}": value for name, value in limits.items()}) as running:
        yield running


def ask(url: str, content: bytes = TONE, route: str = "transcriptions", **fields: Any) -> httpx.Response:
    files = {"file": ("a.wav", content)}
    return httpx.post(f"{url}/v1/audio/{route}", data={"model": "whisper-1", **fields}, files=files, timeout=30)


def error(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()["error"]
    return told


@contextmanager
def hanging(strict: Server) -> Iterator[Future[httpx.Response]]:
    """With a request in the engine that has no end. It has left afterwards."""
    files, fields = {"file": ("a.wav", TONE)}, {"model": "whisper-1", "prompt": HANGS}
    with httpx.Client(timeout=10) as client, ThreadPoolExecutor() as pool:
        asked = pool.submit(client.post, f"{strict.url}/v1/audio/transcriptions", data=fields, files=files)
        strict.until(RUNNING, 1)
        yield asked
        client.close()
    strict.until(RUNNING, 0)


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_that_people_send_is_read(client: OpenAI, ending: str) -> None:
    told = client.audio.transcriptions.create(
        model="whisper-1", file=(f"a.{ending}", recording(ending, tone(4))), response_format="verbose_json"
    )
    assert told.duration == pytest.approx(4, abs=0.1)
    assert len(told.text.split()) == 10


def test_json_has_the_text_and_the_seconds(client: OpenAI) -> None:
    told = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", TONE))
    assert told.text.endswith(".")
    assert told.usage
    assert told.usage.model_dump() == {"type": "duration", "seconds": 4.0}


def test_verbose_json_has_segments_or_words_as_they_are_asked_for(client: OpenAI) -> None:
    def told(*granularities: Any) -> Any:
        return client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", TONE), response_format="verbose_json", timestamp_granularities=list(granularities)
        )

    by_words, by_segments, by_both = told("word"), told("segment"), told("word", "segment")
    assert by_words.segments is by_segments.words is None
    assert " ".join(word.word for word in by_both.words) == by_both.text
    assert by_both.words == by_words.words
    assert "".join(segment.text for segment in by_segments.segments).strip() == by_segments.text
    assert (by_words.language, by_both.segments[-1].end) == ("english", 4.0)


def test_subtitles_and_plain_text(client: OpenAI) -> None:
    def told(form: Any) -> str:
        return str(client.audio.transcriptions.create(model="whisper-1", file=("a.wav", TONE), response_format=form))

    assert re.fullmatch(r"1\n00:00:00,000 --> 00:00:\d\d,\d{3}\n.+\n\n(.|\n)*", told("srt"))
    assert re.fullmatch(r"WEBVTT\n\n00:00:00\.000 --> 00:00:\d\d\.\d{3}\n.+\n\n(.|\n)*", told("vtt"))
    assert told("text").strip() == client.audio.transcriptions.create(model="whisper-1", file=("a.wav", TONE)).text


def test_a_stream_tells_the_text_in_pieces_and_then_whole(client: OpenAI) -> None:
    long = recording("mp3", tone(16))
    *deltas, done = client.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=("a.mp3", long), stream=True)
    assert len(deltas) > 1
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text  # type: ignore[union-attr]
    assert done.usage
    assert done.usage.input_tokens == pytest.approx(16 * 50, abs=5)


def test_a_translation_is_english_whatever_was_spoken(client: OpenAI) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):  # by OpenAI, whose newer models do it when they are asked to
        told = client.audio.translations.create(model="whisper-1", file=("a.wav", TONE), response_format="verbose_json")
    assert (told.language, told.duration) == ("english", 4.0)


def test_the_language_that_was_given_is_told(server: Server) -> None:
    assert ask(server.url, language="de-AT", response_format="verbose_json").json()["language"] == "german"


def test_silence_is_no_text(server: Server) -> None:
    assert ask(server.url, recording("wav", tone(2) * 0)).json()["text"] == ""


@pytest.mark.parametrize(
    ("fields", "param", "word"),
    [
        ({"model": "whisper-9"}, "model", "there are mock-listening, whisper-1"),
        ({"language": "klingon"}, "language", "expected one of af, am"),
        ({"temperature": "2"}, "temperature", "less than or equal to 1"),
        ({"response_format": "xml"}, "response_format", "'json', 'text'"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities", "verbose_json"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities.0", "'word' or 'segment'"),
        ({"stream": "true", "response_format": "srt"}, "stream", "cannot be streamed"),
        ({"include[]": "logprobs"}, "include", "Leave it out"),
        ({"file": "text"}, "file", "expected the recording as a file"),
    ],
)
def test_what_cannot_be_done_is_refused(server: Server, fields: dict[str, str], param: str, word: str) -> None:
    files = None if "file" in fields else {"file": ("a.wav", TONE)}
    content = {"model": "whisper-1", **fields} if files else None
    parts = None if files else {"file": (None, "text"), "model": (None, "whisper-1")}
    answer = httpx.post(f"{server.url}/v1/audio/transcriptions", data=content, files=files or parts)
    assert answer.status_code == (404 if param == "model" else 400)
    assert error(answer)["param"] == param
    assert word in error(answer)["message"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "cannot be read as audio"),
        (b"This is a letter and no sound. " * 100, "expected wav, mp3"),
        (header(16000, 0), "no sound in it"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "cannot be read as audio"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "cannot be read as audio"),
    ],
    ids=["empty", "text", "silent", "playlist", "list"],
)
def test_what_is_no_audio_is_refused(server: Server, content: bytes, word: str) -> None:
    answer = ask(server.url, content)
    assert (answer.status_code, error(answer)["param"]) == (400, "file")
    assert word in error(answer)["message"]


def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(server: Server) -> None:
    whole = recording("mp3", tone(4))
    assert 1 < ask(server.url, whole[: len(whole) // 2], response_format="verbose_json").json()["duration"] < 3


@pytest.mark.parametrize(
    ("charset", "prompt", "word"),
    [("utf-7", b"+2D0-", r"prompt has \ud83d"), ("undefined", b"a", "UTF-8"), ("punycode", b"a-\xff", "UTF-8")],
)
def test_a_form_in_no_charset_is_refused(server: Server, charset: str, prompt: bytes, word: str) -> None:
    fields = {"model": b"whisper-1", "prompt": prompt, "file": TONE}
    parts = [b'--X\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value) for name, value in fields.items()]
    headers = {"content-type": f"multipart/form-data; boundary=X; charset={charset}"}
    answer = httpx.post(f"{server.url}/v1/audio/transcriptions", content=b"".join(parts) + b"--X--\r\n", headers=headers)
    assert answer.status_code == 400
    assert word in error(answer)["message"]


def test_a_body_that_is_no_form_is_refused(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/audio/transcriptions", json={"model": "whisper-1"})
    assert answer.status_code == 400
    assert "got" not in error(answer)["message"]
    assert "multipart/form-data" in error(answer)["message"]


def test_too_large_a_body_is_refused_whether_its_length_is_told_or_not(strict: Server) -> None:
    announced = ask(strict.url, bytes(700_000))
    assert (announced.status_code, error(announced)["code"]) == (413, "request_too_large")
    parts = [b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n', *[bytes(100_000)] * 7, b"\r\n--x--\r\n"]
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{strict.url}/v1/audio/transcriptions", content=iter(parts), headers=headers)
    assert answer.status_code == 413
    assert "at most 600000" in error(answer)["message"]


def test_too_long_a_recording_is_refused(strict: Server) -> None:
    answer = ask(strict.url, recording("mp3", tone(11)))
    assert answer.status_code == 400
    assert "longer than 10 seconds" in error(answer)["message"]


@pytest.mark.parametrize("stream", ["false", "true"])
def test_a_client_that_leaves_makes_room_for_the_next(strict: Server, stream: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{strict.url}/v1/audio/transcriptions",
            data={"model": "whisper-1", "prompt": HANGS, "stream": stream},
            files={"file": ("a.wav", TONE)},
            timeout=1,
        )
    strict.until(RUNNING, 0)
    assert ask(strict.url).status_code == 200
    assert "Exception in ASGI application" not in strict.log.read_text()  # to leave is no fault


def test_a_full_server_says_when_to_come_back(strict: Server) -> None:
    with hanging(strict):
        answer = ask(strict.url)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "1 recordings are here already" in error(answer)["message"]


def test_a_server_that_does_not_listen_says_so() -> None:
    with serve("mock", FIRESIDE_LISTENING__ENGINE="none", FIRESIDE_TEXT__ENGINE="none") as deaf:
        answer = ask(deaf.url)
        assert (answer.status_code, error(answer)["code"]) == (503, "not_ready")
        assert "listening.engine is none" in error(answer)["message"]


def test_the_listening_model_is_listed(server: Server) -> None:
    entry = server.get("/v1/models/whisper-1").json()
    assert (entry["id"], entry["kind"]) == ("mock-listening", "listening")
    assert server.metric('fireside_engine_ready{engine="listening"}') == 1


def test_a_killed_worker_ends_its_requests_with_a_clear_error_and_comes_back(strict: Server) -> None:
    children = psutil.Process(strict.process.pid).children(recursive=True)
    with hanging(strict) as asked:
        next(child for child in children if "models.listening.worker" in child.cmdline()).kill()
        answer = asked.result(20)
    assert (answer.status_code, error(answer)["code"]) == (503, "engine_died")
    assert error(answer)["message"] == "the listening worker was killed by SIGKILL"
    assert strict.status("/v1/audio/voices") == 200
    strict.until('fireside_engine_ready{engine="listening"}', 1)
    assert ask(strict.url).status_code == 200
