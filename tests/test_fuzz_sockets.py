"""Every socket, given what it does not expect: it says what is wrong, lives on, and nothing is left of it.

What holds for what each socket does expect is in test_speech_stream_properties.py and test_realtime_properties.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from api.socket import TextSession
from api.speech_stream import StreamSession
from api.stream_input import InputSession
from models.text.mock_replies import Called
from tests.fuzzing import examples, tried
from tests.realtime import Client as RealtimeClient
from tests.realtime import Speaker, house, local
from tests.servers import Server
from tests.sessions import Client, Engine

Message = dict[str, Any]
UNEXPECTED = 1011

ODD = st.sampled_from(
    [None, True, -1, 0, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "\0", "\u202e", "\ud83d", "x" * 5000, [], {}, [[]]]
)
DEEP = ["[" * 5000, '{"type":' * 2000, "[" * 900 + "]" * 900, '{"text":' + "[" * 900 + "]" * 900 + "}"]
RAW = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)),
    st.sampled_from(
        [*DEEP, "", "{", "null", "NaN", "\ufeff{}", '{"type": "text", "type": "end"}', '"\\ud83d"', "{}" * 3, "x" * 70_000, "\0"]
    ),
)


def nearly(*messages: Message) -> st.SearchStrategy[str]:
    """One of these as JSON, but for a field: it has another value, is not there, or is one that there is not."""

    @st.composite
    def changed(draw: st.DrawFn) -> str:
        message = dict(draw(st.sampled_from(messages)))
        field = draw(st.sampled_from([*message, "unknown"]))
        message.pop(field, None)
        return json.dumps(message | ({field: draw(ODD)} if draw(st.booleans()) else {}))

    return changed()


def told(*messages: Message) -> st.SearchStrategy[str]:
    return st.sampled_from(messages).map(json.dumps)


SAID = {"type": "text", "text": "One. Two, three.", "utterance": "a"}
OPTIONS = {"voice": "v", "format": "pcm", "speed": 1.0, "seed": 7, "normalize": True, "language": "en"}
SPOKEN = ({"type": "config", "events": True, **OPTIONS}, {"type": "speak", "text": "Hello.", **OPTIONS}, {"type": "cancel"})
STREAMED = (
    {"type": "configure", "encoding": "base64", "words": True, "sample_rate": 8000, "model": "m", **OPTIONS},
    SAID,
    {**SAID, "utterance": "b"},
    *({"type": kind, "utterance": "a"} for kind in ("flush", "end", "cancel")),
)
INPUT = ({"text": "Hello. "}, {"text": " ", "voice_settings": {"speed": 1.1}}, {"text": "And", "flush": True}, {"flush": True})


async def spoken_again(client: Client) -> bool:
    client.tell("cancel")
    client.tell("config", events=True, voice="v", format="pcm", speed=1, language="", normalize=False, seed=None)
    client.tell("speak", text="Still here.")
    while (event := await client.event()).get("text") != "Still here.":
        check(event)
    return (await client.until("done")) == {"type": "done", "cancelled": False}


async def streamed_again(client: Client) -> bool:
    client.tell("cancel")
    client.tell(
        "configure", voice="v", model=None, speed=1, format="pcm", sample_rate=None, encoding="base64", words=False, language="", seed=-9
    )
    while (event := await client.event()).get("seed") != -9:
        check(event)
    client.tell("text", text="Still here.")
    client.tell("end")
    return bool((await client.until("done"))["status"] == "completed")


async def ended(client: Client) -> bool:
    """One utterance, and the socket is closed: it may have been before."""
    client.send('{"text": ""}')
    while (message := await client.message())["type"] != "websocket.close":
        check(json.loads(message["text"]))
    return message["code"] in {1000, 1007, 1013}


def check(event: Message) -> None:
    """No error of ours: those are told without their inside."""
    error = event.get("error")
    code = error.get("code") if isinstance(error, dict) else error
    assert code != "internal_error", event


SOCKETS: dict[str, tuple[Any, tuple[Message, ...], Callable[[Client], Any]]] = {
    "/ws": (TextSession, SPOKEN, spoken_again),
    "/v1/audio/speech/stream": (StreamSession, STREAMED, streamed_again),
    "/v1/text-to-speech/v/stream-input": (lambda runtime, socket: InputSession(runtime, socket, "v"), INPUT, ended),
}


@pytest.mark.parametrize("path", SOCKETS)
def test_whatever_comes_a_socket_lives_on_and_nothing_is_left_of_it(path: str) -> None:
    kind, messages, lives = SOCKETS[path]

    async def scenario(frames: list[str | bytes]) -> None:
        client = Client(Engine(), kind)
        for frame in frames:
            client.send(frame)
        assert await lives(client)
        client.leave()
        await client.session
        assert (client.scheduler.running, client.scheduler.waiting, client.scheduler._order.owners) == (0, 0, 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    @given(st.lists(told(*messages) | nearly(*messages) | nearly(*messages) | RAW, max_size=12))
    @examples(60)
    def run(frames: list[str | bytes]) -> None:
        asyncio.run(scenario(frames))
        tried(path, "sequences")
        for _ in frames:
            tried(path, "frames")

    run()


ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}], "id": "a"}
EVENTS = (
    {
        "type": "session.update",
        "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}, "tools": [], "instructions": "Be brief."},
    },
    {"type": "session.update", "session": {"audio": {"output": {"voice": "v", "speed": 1.5}}, "max_output_tokens": 5}},
    {"type": "input_audio_buffer.append", "audio": "AAAA" * 200},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": ITEM, "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}},
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
    {"type": "conversation.item.retrieve", "item_id": "a"},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 10},
    {"type": "conversation.item.delete", "item_id": "a"},
    {
        "type": "response.create",
        "response": {"output_modalities": ["text"], "input": [ITEM], "conversation": "none", "metadata": {"a": "b"}},
    },
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "r"},
)


@st.composite
def inside(draw: st.DrawFn) -> str:
    """An event in which one value, however deep, is odd."""
    event = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    place: Any = event
    while True:
        key = draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else draw(st.integers(0, len(place) - 1))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = draw(ODD)
    return json.dumps(event)


@given(
    st.lists(told(*EVENTS) | nearly(*EVENTS) | inside() | inside() | RAW, max_size=20),
    st.lists(st.sampled_from(["Yes.", Called("f")]), max_size=3),
)
@examples(60)
def test_whatever_comes_a_realtime_session_lives_on_and_nothing_is_left_of_it(frames: list[str | bytes], replies: list[Any]) -> None:
    asyncio.run(talked(frames, replies))
    tried("/v1/realtime", "sequences")
    for _ in frames:
        tried("/v1/realtime", "frames")


async def talked(frames: list[str | bytes], replies: list[Any]) -> None:
    async with house(speaker=Speaker(pace=0.001)) as home:
        home.text.enqueue(replies)
        async with local(home) as client:
            reading = asyncio.create_task(read(client))
            for frame in frames:
                await client.connection.send_raw(frame)
            await client.send("nobody", event_id="last")
            await reading


async def read(client: RealtimeClient) -> None:
    while (event := await client.event()).get("error", {}).get("event_id") != "last":
        check(event)


@pytest.mark.parametrize("path", [*SOCKETS, "/v1/realtime?model=gpt-realtime"])
@pytest.mark.parametrize(("frame", "code"), [(b"\xff\xfe", 1007), (b"x" * (17 << 20), 1009)], ids=["no-utf-8", "huge"])
def test_what_is_no_text_frame_at_all_closes_the_socket_and_says_why(server: Server, path: str, frame: bytes, code: int) -> None:
    path = path.replace("/v/", "/mock-low/")
    with connect(server.url.replace("http", "ws") + path, max_size=None) as socket:
        with pytest.raises(ConnectionClosedError) as closed:
            socket.send(frame, text=True)
            while True:
                socket.recv(10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == code
    assert server.status("/readyz") == 200
