"""WS /v1/audio/speech/stream on a real server with mock engines: docs/speech-stream.md, point by point."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import av
import httpx
import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.speech_stream import StreamSession
from models.speech.mock import SECONDS_PER_CHARACTER
from tests.servers import Server, serve
from tests.sessions import Client, Engine

pytestmark = pytest.mark.anyio
ROUTE = "/v1/audio/speech/stream"
RUNNING, WAITING = 'fireside_running{engine="speech"}', 'fireside_waiting{engine="speech"}'
TEXT = "The first sentence is here. The second one follows it. And a third."


def opened(server: Server) -> connect:
    return connect(server.url.replace("http", "ws") + ROUTE, max_size=None, compression=None)


@pytest.fixture
async def ws(server: Server) -> AsyncIterator[ClientConnection]:
    async with opened(server) as socket:
        assert (await event(socket))["type"] == "ready"
        yield socket


async def send(ws: ClientConnection, kind: str, **fields: Any) -> None:
    await ws.send(json.dumps({"type": kind, **fields}))


async def event(ws: ClientConnection) -> dict[str, Any]:
    """The next event, with the bytes of the frame behind it as its audio."""
    found: dict[str, Any] = json.loads(await asyncio.wait_for(ws.recv(), 30))
    if found["type"] == "audio":
        found["audio"] = base64.b64decode(found["audio"]) if "audio" in found else await ws.recv()
    return found


async def until(ws: ClientConnection, kind: str) -> list[dict[str, Any]]:
    events = [await event(ws)]
    while events[-1]["type"] != kind:
        events.append(await event(ws))
    return events


async def spoken(ws: ClientConnection, *pieces: str) -> list[dict[str, Any]]:
    for piece in pieces:
        await send(ws, "text", text=piece)
    await send(ws, "end")
    return await until(ws, "done")


def audio(events: list[dict[str, Any]]) -> bytes:
    return b"".join(found["audio"] for found in events if found["type"] == "audio")


def bare(server: Server, **body: Any) -> bytes:
    return httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "response_format": "pcm", **body}).content


async def test_it_says_what_it_will_speak_with(server: Server, ws: ClientConnection) -> None:
    await send(ws, "configure", voice="alloy", model="tts-1", format="opus", words=True, speed=2)
    ready = await event(ws)
    assert (ready["type"], ready["voice"], ready["model"], ready["language"]) == ("configured", "mock-low", "mock-speech", "en")
    assert (ready["format"], ready["sample_rate"], ready["encoding"], ready["words"], ready["speed"]) == ("opus", 48000, "binary", True, 2)


@pytest.mark.parametrize("encoding", ["binary", "base64"])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_text_in_any_pieces_is_the_same_speech(server: Server, ws: ClientConnection, encoding: str, size: int) -> None:
    await send(ws, "configure", encoding=encoding)
    await event(ws)
    events = await spoken(ws, *(TEXT[start : start + size] for start in range(0, len(TEXT), size)))
    assert audio(events) == bare(server, input=TEXT)
    kinds = [(found["type"], found["sentence"]) for found in events if found["type"].startswith("sentence")]
    assert kinds == [(f"sentence.{end}", index) for index in range(3) for end in ("started", "ended")]
    assert [TEXT[found["char_start"] : found["char_end"]] for found in events if found["type"] == "sentence.started"] == [
        found["text"] for found in events if found["type"] == "sentence.started"
    ]
    assert events[-1] == {
        "type": "done",
        "utterance": events[0]["utterance"],
        "status": "completed",
        "characters": len(TEXT),
        "samples": len(audio(events)) // 2,
        "seconds": round(len(audio(events)) / 2 / 24000, 3),
    }


async def test_a_sentence_is_spoken_before_the_next_is_written(ws: ClientConnection) -> None:
    await send(ws, "text", text="Once upon a time. And th")
    assert (await until(ws, "sentence.ended"))[0]["text"] == "Once upon a time. "
    await send(ws, "text", text="en.")
    await send(ws, "end")
    assert (await until(ws, "done"))[0]["text"] == "And then."


async def test_a_complete_sentence_is_spoken_when_the_writer_pauses(ws: ClientConnection) -> None:
    await send(ws, "text", text="That is all.")
    assert (await until(ws, "sentence.ended"))[0]["text"] == "That is all."


async def test_the_first_clause_is_spoken_while_the_sentence_is_written(ws: ClientConnection) -> None:
    await send(ws, "text", text="When the rain finally stopped, she")
    assert (await until(ws, "sentence.ended"))[0]["text"] == "When the rain finally stopped, "


async def test_a_flush_speaks_what_is_there_and_the_utterance_goes_on(ws: ClientConnection) -> None:
    await send(ws, "text", text="no full stop")
    await send(ws, "flush")
    begun = await until(ws, "sentence.ended")
    await send(ws, "text", text=" and more")
    await send(ws, "end")
    rest = await until(ws, "done")
    assert [found["text"] for found in begun + rest if found["type"] == "sentence.started"] == ["no full stop", " and more"]
    assert {found["utterance"] for found in begun + rest} == {begun[0]["utterance"]}


async def test_words_are_told_as_written_with_their_times(ws: ClientConnection) -> None:
    text = "It costs $5. **Good** evening!"
    await send(ws, "configure", words=True)
    await event(ws)
    events = await spoken(ws, text[:9], text[9:])
    words = [word for found in events if found["type"] == "audio" for word in found["words"]]
    assert [word["word"] for word in words] == ["It", "costs", "$5", "Good", "evening"]
    assert all(text[word["char_start"] : word["char_end"]] == word["word"] for word in words)
    assert words[2]["start"] == pytest.approx(len("It costs ") * SECONDS_PER_CHARACTER, abs=0.01)
    assert words[-1]["end"] <= events[-1]["seconds"]


async def test_utterances_wait_for_their_turn_under_the_names_they_were_given(ws: ClientConnection) -> None:
    for name in ("one", "two"):
        await send(ws, "text", text=f"This is {name}.", utterance=name)
        await send(ws, "end", utterance=name)
    events = await until(ws, "done") + await until(ws, "done")
    assert [found["utterance"] for found in events] == sorted(found["utterance"] for found in events)
    assert {found["utterance"] for found in events} == {"one", "two"}


async def test_options_hold_from_the_next_utterance_on(ws: ClientConnection) -> None:
    await send(ws, "text", text="Slowly, ")
    await send(ws, "configure", speed=4)
    slow, quick = await spoken(ws, "slowly."), await spoken(ws, "Slowly, slowly.")
    assert slow[-1]["seconds"] > 3 * quick[-1]["seconds"]


async def test_another_sample_rate(ws: ClientConnection) -> None:
    await send(ws, "configure", sample_rate=8000)
    assert (await event(ws))["sample_rate"] == 8000
    events = await spoken(ws, TEXT)
    assert len(audio(events)) / 2 == events[-1]["samples"]
    assert events[-1]["seconds"] == pytest.approx(events[-1]["samples"] / 8000, abs=0.001)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
async def test_an_utterance_is_a_whole_file(ws: ClientConnection, format: str) -> None:
    await send(ws, "configure", format=format)
    for _ in range(2):
        events = await spoken(ws, TEXT)
        with av.open(io.BytesIO(audio(events))) as file:
            seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
        assert seconds == pytest.approx(events[-1]["seconds"], abs=0.15)


async def test_a_cancel_says_what_was_cut_and_where(hanging: Server) -> None:
    async with opened(hanging) as ws:
        await send(ws, "text", text="First this. Then this for ever. And ", utterance="long")
        began = await until(ws, "sentence.ended")
        await send(ws, "text", text="what waits.", utterance="long")
        await send(ws, "end")
        await send(ws, "text", text="Not begun.", utterance="next")
        await send(ws, "cancel")
        cut, dropped = await until(ws, "done"), await until(ws, "done")
        assert [(found[-1]["utterance"], found[-1]["status"]) for found in (cut, dropped)] == [("long", "cancelled"), ("next", "cancelled")]
        assert cut[-1]["samples"] == len(audio(began + cut)) // 2
        assert dropped[-1]["samples"] == 0
        assert hanging.metric(RUNNING) == hanging.metric(WAITING) == 0
        assert (await spoken(ws, "After it."))[-1]["status"] == "completed"


async def test_one_utterance_can_be_cancelled_alone(hanging: Server) -> None:
    async with opened(hanging) as ws:
        for name, text in (("a", "This goes on for ever."), ("b", "Nobody wants this."), ("c", "But this.")):
            await send(ws, "text", text=text, utterance=name)
            await send(ws, "end")
        await until(ws, "sentence.started")
        for name in ("b", "a", "unknown"):
            await send(ws, "cancel", utterance=name)
        ends = [(await until(ws, "done"))[-1] for _ in range(3)]
        assert [(end["utterance"], end["status"]) for end in ends] == [("a", "cancelled"), ("b", "cancelled"), ("c", "completed")]


async def test_an_end_without_text_is_an_empty_utterance(ws: ClientConnection) -> None:
    await send(ws, "cancel")
    await send(ws, "flush")
    (done,) = await spoken(ws)
    assert (done["status"], done["samples"], done["characters"]) == ("completed", 0, 0)
    (*_, done) = await spoken(ws, "😀 ***")
    assert (done["status"], done["samples"]) == ("completed", 0)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ('{"type": "shout"}', "'configure', 'text', 'flush', 'end', 'cancel'"),
        ('{"text": "no type"}', "discriminator 'type'"),
        ('{"type": "text"}', "text: Field required"),
        ('{"type": "text", "text": "x", "colour": "red"}', "colour"),
        ('{"type": "text", "text": "x", "utterance": ""}', "utterance"),
        ('{"type": "configure", "speed": 9}', "less than or equal to 4"),
        ('{"type": "configure", "voice": "bob"}', "unknown voice 'bob'"),
        ('{"type": "configure", "model": "tts-9"}', "`tts-9` does not exist"),
        ('{"type": "configure", "format": "mp3", "sample_rate": 12345}', "mp3 exists at"),
        ('{"type": "configure", "sample_rate": 96000}', "less than or equal to 48000"),
        ("plain words", "got what is not JSON"),
        (b"\x00\x01", "binary frame"),
        ('{"type": "text", "text": "\\ud83d"}', "surrogate"),
        ('{"type": "text", "text": "' + "x" * 60000 + '"}', "a frame of"),
        ("[" * 5000, "not JSON"),
    ],
)
async def test_a_bad_message_is_refused_and_nothing_is_lost(server: Server, ws: ClientConnection, frame: str | bytes, told: str) -> None:
    await send(ws, "text", text="Still ")
    await ws.send(frame)
    refusal = (await until(ws, "error"))[-1]
    assert told in refusal["error"]["message"]
    assert refusal["utterance"] is None
    assert audio(await spoken(ws, "here.")) == bare(server, input="Still here.")


async def test_a_message_for_another_utterance_is_refused(ws: ClientConnection) -> None:
    await send(ws, "text", text="One. ", utterance="one")
    await send(ws, "text", text="Two. ", utterance="two")
    assert "utterance 'one' is open" in (await until(ws, "error"))[-1]["error"]["message"]


async def test_a_text_that_becomes_too_long_is_spoken_up_to_there(ws: ClientConnection) -> None:
    await send(ws, "text", text="x" * 4090 + ". ")
    for text in ("y" * 10, "z"):
        await send(ws, "text", text=text)
        assert "at most 4096" in (await until(ws, "error"))[-1]["error"]["message"]
    await send(ws, "end")
    assert (await until(ws, "done"))[-1]["characters"] == 4092


async def test_too_many_utterances_are_refused(hanging: Server) -> None:
    async with opened(hanging) as ws:
        for _ in range(34):
            await send(ws, "text", text="This goes on for ever.")
            await send(ws, "end")
        refused = (await until(ws, "error"))[-1]
        assert refused["error"]["code"] == "overloaded"


async def test_closing_the_socket_stops_the_work(hanging: Server) -> None:
    async with opened(hanging) as ws:
        await send(ws, "text", text="This goes on for ever. " * 4)
        hanging.until(RUNNING, 2)
    hanging.until(RUNNING, 0)
    hanging.until(WAITING, 0)


async def test_a_language_model_s_tokens_go_through_it(server: Server, ws: ClientConnection) -> None:
    client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none")
    messages: Any = [{"role": "user", "content": "Tell me about the fire."}]
    stream = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, max_tokens=60, stream=True)
    said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    await client.close()
    events = await spoken(ws, *said)
    assert "".join(found["text"] for found in events if found["type"] == "sentence.started") == "".join(said)


async def test_it_counts_each_utterance_and_each_refusal(server: Server, ws: ClientConnection) -> None:
    def counted(outcome: str) -> float:
        return server.metric(f'fireside_requests_total{{outcome="{outcome}",route="{ROUTE}"}}')

    names = (f'fireside_tts_ttfa_seconds_count{{route="{ROUTE}"}}', f'fireside_tts_audio_seconds_total{{route="{ROUTE}"}}')
    ok, refused, first, seconds = counted("ok"), counted("invalid_request_error"), *map(server.metric, names)
    await ws.send("nonsense")
    done = (await spoken(ws, "Some audio."))[-1]
    assert (counted("ok"), counted("invalid_request_error")) == (ok + 1, refused + 1)
    assert (server.metric(names[0]), server.metric(names[1])) == (first + 1, pytest.approx(seconds + done["seconds"], abs=0.001))


async def test_a_socket_that_comes_too_early_is_told_and_closed() -> None:
    with serve("mock", wait="/livez", FIRESIDE_TEXT__ENGINE="none", FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="30") as server:
        async with opened(server) as ws:
            assert (await event(ws))["error"]["code"] == "not_ready"
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013


async def test_a_failed_utterance_is_closed_by_its_end_as_any_other() -> None:
    client = Client(Engine(), StreamSession)
    client.tell("text", text="This will fail. ", utterance="one")
    error, done = await client.until("error"), await client.until("done")
    assert (error["utterance"], error["error"]["code"], done["status"]) == ("one", "engine_failed", "failed")
    client.tell("text", text="And its rest. ")
    client.tell("end")
    client.tell("text", text="Next.", utterance="two")
    client.tell("end")
    assert (await client.until("done"))["utterance"] == "two"
    client.leave()
    await client.session


async def test_words_of_a_voice_that_does_not_know_them_are_refused() -> None:
    client = Client(Engine(), StreamSession)
    client.tell("configure", voice="mute", words=True)
    assert "the voice mute does not know" in (await client.until("error"))["error"]["message"]
    client.tell("configure", voice="mute")
    assert (await client.until("configured"))["words"] is False
    client.leave()
    await client.session


async def test_a_bug_is_told_and_the_socket_closed() -> None:
    client = Client(Engine(), StreamSession)
    client.tell("text", text="A bug. ")
    error = (await client.until("error"))["error"]
    assert (error["code"], "secret" in error["message"]) == ("internal_error", False)
    assert (await client.message())["code"] == 1011
    await client.session


class Plugged(Client):
    """Takes no audio until it reads."""

    async def _take(self, message: Any) -> None:
        if "bytes" in message:
            await self.reads.wait()
        self._back.put_nowait(message)


class Failing(StreamSession):
    failed = asyncio.Event()

    async def _speak_all(self) -> None:
        try:
            await super()._speak_all()
        finally:
            self.failed.set()


async def test_a_bug_is_not_told_between_an_audio_event_and_its_frame() -> None:
    client = Plugged(Engine(), Failing)
    client.reads.clear()
    client.tell("text", text="A bug. ")
    await client.until("audio")
    await Failing.failed.wait()
    for _ in range(20):  # time to say something
        await asyncio.sleep(0)
    client.reads.set()
    assert (await client.message())["bytes"]
    assert json.loads((await client.message())["text"])["error"]["code"] == "internal_error"
    await client.session


async def test_a_client_that_does_not_read_holds_neither_the_engine_nor_a_cancel() -> None:
    client = Client(engine := Engine(), StreamSession)
    await client.until("ready")
    client.reads.clear()
    client.tell("text", text="One two. Three four. Five six. ")
    assert [await asyncio.wait_for(engine.made.get(), 60) for _ in range(3)] == [0, 1, 2]
    assert (client.scheduler.running, client.scheduler.waiting) == (0, 0)
    client.tell("cancel")
    client.tell("text", text="Next.")
    client.tell("end")
    client.reads.set()
    cut, done = await client.until("done"), await client.until("done")
    assert (cut["status"], done["status"]) == ("cancelled", "completed")
    client.leave()
    await client.session


async def test_what_is_cancelled_before_it_is_spoken_counts_against_no_limit() -> None:
    client = Client(engine := Engine(), StreamSession)
    await client.until("ready")
    client.tell("text", text="Please wait. ", utterance="a")
    client.tell("end")
    await engine.begun.wait()
    client.tell("text", text="Never said. ", utterance="b")
    client.tell("cancel")
    assert [(await client.until("done"))["status"] for _ in range(2)] == ["cancelled", "cancelled"]
    assert client.entered == 1
    client.leave()
    await client.session
