"""/v1/chat/completions with audio, with the official SDK on a real server with mock engines, and the events as they are on the wire."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import av
import httpx
import numpy as np
import openai
import pytest

from tests.servers import Server, serve

HELLO = [{"role": "user", "content": "Hello"}]
REPLY = "The fire is lit. Sit down, it is late."
ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HELLO, "modalities": ["text", "audio"]}
STREAMED = {**ASKED, "audio": {"voice": "alloy", "format": "pcm16"}, "stream": True}
WHOLE = {**ASKED, "audio": {"voice": "alloy", "format": "wav"}}
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}
CANCELLED = 'fireside_requests_total{outcome="cancelled",route="/v1/chat/completions"}'
RUNNING = ('fireside_running{engine="text"}', 'fireside_running{engine="speech"}', 'fireside_waiting{engine="speech"}')


@pytest.fixture(scope="module")
def talker() -> Iterator[Server]:
    """Says the same at each request."""
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([REPLY] * 500)) as running:
        yield running


@pytest.fixture(scope="module")
def client(talker: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{talker.url}/v1", api_key="none", max_retries=0)


def post(server: Server, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=30)


def events(server: Server, **body: Any) -> list[dict[str, Any]]:
    answer = post(server, **body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, done = answer.text.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in told]


def deltas(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for event in told for choice in event["choices"]]


def heard(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [delta["audio"] for delta in deltas(told) if "audio" in delta]


def spoken(server: Server, text: str) -> bytes:
    body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
    return httpx.post(f"{server.url}/v1/audio/speech", json=body).content


def test_a_stream_brings_an_id_pieces_of_both_and_when_it_expires(talker: Server) -> None:
    audio = heard(events(talker, **STREAMED))
    assert list(audio[0]) == ["id"]
    assert "".join(piece["transcript"] for piece in audio if "transcript" in piece) == REPLY
    assert base64.b64decode("".join(piece["data"] for piece in audio if "data" in piece)) == spoken(talker, REPLY)
    assert list(audio[-1]) == ["expires_at"]
    assert all(len(piece) == 1 for piece in audio)


def test_the_events_are_chunks_whose_end_is_told_last(talker: Server) -> None:
    told = events(talker, **STREAMED, stream_options={"include_usage": True})
    assert len({(event["id"], event["object"], event["created"], event["model"]) for event in told}) == 1
    assert deltas(told)[0] == {"role": "assistant"}
    assert "finish_reason" not in told[-3]["choices"][0]
    assert [choice["finish_reason"] for event in told[:-3] for choice in event["choices"]] == [None] * len(told[:-3])
    assert (told[-2]["choices"][0]["delta"], told[-2]["choices"][0]["finish_reason"]) == ({}, "stop")
    assert told[-1]["choices"] == []


def test_usage_counts_audio(talker: Server) -> None:
    told = events(talker, **STREAMED, stream_options={"include_usage": True})[-1]["usage"]
    details = told["completion_tokens_details"]
    assert details["audio_tokens"] == -(-len(spoken(talker, REPLY)) * 20 // (2 * 24000))
    assert told["completion_tokens"] == details["audio_tokens"] + details["text_tokens"]
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]
    assert not any("usage" in event and event["usage"] for event in events(talker, **STREAMED))


def test_the_sdk_s_own_stream_helper_puts_it_together(talker: Server, client: openai.OpenAI) -> None:
    wanted = {name: value for name, value in STREAMED.items() if name != "stream"}
    with client.chat.completions.stream(**wanted) as stream:
        for _ in stream:
            pass
        audio = stream.get_final_completion().choices[0].message.audio
    assert audio is not None
    assert audio.transcript == REPLY
    assert base64.b64decode(audio.data) == spoken(talker, REPLY)
    assert audio.id.startswith("audio_")


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "opus", "aac"])
def test_whole_it_comes_in_every_format(talker: Server, client: openai.OpenAI, format: str) -> None:
    answer = client.chat.completions.create(**{**WHOLE, "audio": {"voice": "alloy", "format": format}})
    message = answer.choices[0].message
    assert (message.content, answer.choices[0].finish_reason, answer.object) == (None, "stop", "chat.completion")
    assert message.audio is not None
    assert message.audio.transcript == REPLY
    with av.open(io.BytesIO(base64.b64decode(message.audio.data))) as file:
        seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
    assert seconds == pytest.approx(len(spoken(talker, REPLY)) / 48000, abs=0.15)
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.audio_tokens


def test_whole_pcm16_is_what_the_speech_route_makes(talker: Server, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**{**WHOLE, "audio": {"voice": {"id": "mock-high"}, "format": "pcm16"}})
    body = {"model": "tts-1", "voice": "mock-high", "input": REPLY, "response_format": "pcm"}
    audio = answer.choices[0].message.audio
    assert audio is not None
    assert base64.b64decode(audio.data) == httpx.post(f"{talker.url}/v1/audio/speech", json=body).content


def test_a_whole_wav_says_how_long_it_is(talker: Server) -> None:
    data = base64.b64decode(post(talker, **WHOLE).json()["choices"][0]["message"]["audio"]["data"])
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == (len(data) - 44) // 2 > 24000


def test_what_cannot_be_read_aloud_is_silent() -> None:
    formats = ("wav", "mp3", "pcm16")
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps(["\N{FIRE}"] * len(formats))) as server:
        for name in formats:
            audio = post(server, **{**WHOLE, "audio": {"format": name}}).json()["choices"][0]["message"]["audio"]
            assert audio["transcript"] == "\N{FIRE}"
            assert len(audio["data"]) < 1000, name


def test_an_earlier_answer_is_named_by_its_id(talker: Server) -> None:
    audio = post(talker, **WHOLE).json()["choices"][0]["message"]["audio"]
    history = [*HELLO, {"role": "assistant", "audio": {"id": audio["id"]}}, {"role": "user", "content": "Again"}]
    written = [*HELLO, {"role": "assistant", "content": REPLY}, {"role": "user", "content": "Again"}]
    by_id, by_text = (post(talker, model="mock-text", messages=messages).json()["usage"] for messages in (history, written))
    assert by_id == by_text
    assert heard(events(talker, **{**STREAMED, "messages": history}))


def test_the_whole_message_may_be_sent_back(talker: Server) -> None:
    message = post(talker, **WHOLE).json()["choices"][0]["message"]
    message["audio"]["id"] = "audio_of_before_a_restart"
    assert post(talker, **{**WHOLE, "messages": [*HELLO, message, *HELLO]}).status_code == 200


def test_a_call_of_a_tool_is_told_and_not_spoken(server: Server) -> None:
    tools = {"tools": [TOOL], "tool_choice": "required"}
    told = events(server, **STREAMED, **tools)
    assert "".join(call["function"].get("arguments", "") for delta in deltas(told) for call in delta.get("tool_calls", ())).startswith("{")
    assert heard(told) == []
    assert told[-1]["choices"][0]["finish_reason"] == "tool_calls"
    message = post(server, **WHOLE, **tools).json()["choices"][0]["message"]
    assert message["audio"] is None
    assert message["tool_calls"][0]["function"]["name"] == "clock"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) is not None


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"audio": None}, "audio", "audio is missing"),
        ({"audio": {"voice": "alloy"}}, "audio.format", "Field required"),
        ({"audio": {"voice": "alloy", "format": "ogg"}}, "audio.format", "'wav'"),
        ({"audio": {"voice": "nobody", "format": "wav"}}, "audio.voice", "unknown voice 'nobody'"),
        ({"audio": "wav"}, "audio", "got 'wav'"),
        ({"modalities": ["audio", "video"]}, "modalities", '["text", "audio"]'),
        ({"modalities": "audio"}, "modalities", "got 'audio'"),
        ({"stream": True}, "audio.format", "expected pcm16 with stream"),
        ({"stream": 1}, "stream", "expected true or false; got 1"),
        ({"stream": "true"}, "stream", "got 'true'"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "only with stream"),
        ({"n": 2}, "n", "one answer is spoken at a time"),
        ({"logprobs": True}, "logprobs", "without them"),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_0"}}]}, "messages.0.audio.id", "Send its transcript as content"),
        ({"messages": [{"role": "assistant", "audio": "audio_0"}]}, "messages.0.audio", 'expected {"id": ...}'),
        ({"messages": []}, None, "empty conversation"),
        ({"model": "gpt-9"}, "model", "does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_byte(
    server: Server, change: dict[str, Any], param: str | None, words: str
) -> None:
    answer = post(server, **{**WHOLE, **change})
    assert answer.status_code in {400, 404}, answer.text
    error = answer.json()["error"]
    assert error["param"] == param, error
    assert words in error["message"]


def test_without_a_speech_engine_it_says_so() -> None:
    with serve("mock", FIRESIDE_SPEECH__ENGINE="none") as mute:
        answer = post(mute, **WHOLE)
        assert answer.status_code == 503
        assert "no speech engine" in answer.json()["error"]["message"]
        assert post(mute, model="mock-text", messages=HELLO).status_code == 200


def test_a_speech_engine_that_dies_is_told_in_mid_answer() -> None:
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "crash", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "Sit"}
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([REPLY]), **fault) as server:
        *told, error = events(server, **STREAMED)
        assert any("data" in piece for piece in heard(told))
        assert error["error"]["code"] == "engine_died"
        server.until(RUNNING[0], 0)


@pytest.fixture(scope="module")
def failing() -> Iterator[Server]:
    """Its speech fails in the second sentence."""
    fault = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "mid_stream", "FIRESIDE_SPEECH__MOCK__FAULT__MATCH": "Sit"}
    with serve("mock", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([REPLY + " And on." * 500] * 2), **fault) as running:
        yield running


@pytest.mark.parametrize("stream", [True, False])
def test_speech_that_fails_is_an_error_and_leaves_both_engines_idle(failing: Server, stream: bool) -> None:
    count = 'fireside_requests_total{outcome="engine_failed",route="/v1/chat/completions"}'
    before = failing.metric(count)
    answer = post(failing, **(STREAMED if stream else WHOLE))
    if stream:
        assert answer.text.endswith("data: [DONE]\n\n")
        error = json.loads(answer.text.split("\n\n")[-3].removeprefix("data: "))["error"]
    else:
        assert answer.status_code == 500
        error = answer.json()["error"]
    assert error["code"] == "engine_failed"
    assert "sentence 2 of the text could not be spoken" in error["message"]
    for name in RUNNING:
        failing.until(name, 0)
    assert failing.metric(count) == before + 1


@pytest.fixture(scope="module")
def stuck() -> Iterator[Server]:
    """Its speech begins, and comes to no end."""
    reply = {"FIRESIDE_TEXT__MOCK__REPLIES": json.dumps(["Word. " * 400] * 2), "FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND": "100"}
    with serve("mock", FIRESIDE_SPEECH__MOCK__FAULT__KIND="hang", **reply) as running:
        yield running


def test_text_does_not_wait_for_speech_and_a_client_that_leaves_frees_both(stuck: Server) -> None:
    before = stuck.metric(CANCELLED)
    with httpx.stream("POST", f"{stuck.url}/v1/chat/completions", json=STREAMED, timeout=30) as answer:
        lines = answer.iter_lines()
        transcripts = 0
        while transcripts < 100:  # the first sentence is never finished
            transcripts += '"transcript"' in next(lines)
        assert stuck.metric(RUNNING[0]) == 1
        assert stuck.metric(RUNNING[1]) >= 1
    for name in RUNNING:
        stuck.until(name, 0)
    assert stuck.metric(CANCELLED) == before + 1


def test_a_client_that_does_not_wait_for_the_whole_frees_both(stuck: Server) -> None:
    before = stuck.metric(CANCELLED)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{stuck.url}/v1/chat/completions", json=WHOLE, timeout=1)
    stuck.until(CANCELLED, before + 1)
    for name in RUNNING:
        stuck.until(name, 0)


def test_an_answer_too_long_to_be_held_is_refused_unless_it_is_streamed(talker: Server) -> None:
    with serve("mock", FIRESIDE_SPEECH__MAX_CHARS="20", FIRESIDE_TEXT__MOCK__REPLIES=json.dumps([REPLY] * 2)) as server:
        assert "stream it" in post(server, **WHOLE).json()["error"]["message"]
        assert heard(events(server, **STREAMED))


def test_it_is_counted_and_timed_as_text_and_as_speech(server: Server) -> None:
    names = [f'fireside_{name}_count{{route="/v1/chat/completions"}}' for name in ("ttft_seconds", "tts_ttfa_seconds")]
    names.append('fireside_requests_total{outcome="ok",route="/v1/chat/completions"}')
    before = [server.metric(name) for name in names]
    events(server, **STREAMED)
    assert [server.metric(name) for name in names] == [count + 1 for count in before]


@pytest.mark.parametrize("content", ['I like audio", he said', "audio"])
def test_a_request_that_only_speaks_of_audio_goes_on_as_it_is(server: Server, content: str) -> None:
    body = {"model": "mock-text", "messages": [{"role": "user", "content": content}], "temperature": 0}
    answers = [post(server, **body, **more).json()["choices"][0]["message"] for more in ({}, {"modalities": ["text"]})]
    assert answers[0] == answers[1]
    assert answers[0]["content"]
    assert post(server, **body, audio="").status_code == 200


def test_audio_is_whole_samples_that_can_be_joined(talker: Server) -> None:
    pieces = [base64.b64decode(piece["data"]) for piece in heard(events(talker, **STREAMED)) if "data" in piece]
    assert len(pieces) > 2
    assert all(len(piece) % 6 == 0 for piece in pieces[:-1])
    assert np.frombuffer(b"".join(pieces), "<i2").any()
