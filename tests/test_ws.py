"""WS /ws on a real server with mock engines: docs/ws.md, point by point."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from models.speech.mock import frequency
from tests.servers import Server

pytestmark = pytest.mark.anyio
TEXT = "The first sentence is here. The second one follows it. And a third."
ENDLESS = "This one goes on for ever. "
RUNNING, WAITING = 'fireside_running{engine="speech"}', 'fireside_waiting{engine="speech"}'


def opened(server: Server, **options: Any) -> connect:
    return connect(server.url.replace("http", "ws") + "/ws", max_size=None, **options)


@pytest.fixture
async def ws(server: Server) -> AsyncIterator[ClientConnection]:
    async with opened(server) as socket:
        yield socket


async def send(ws: ClientConnection, **message: Any) -> None:
    await ws.send(json.dumps(message))


async def until(ws: ClientConnection, kind: str) -> tuple[list[dict[str, Any]], bytes]:
    """The events up to one of this type, and the audio between them."""
    events, audio = [], b""
    while True:
        frame = await asyncio.wait_for(ws.recv(), 30)
        if isinstance(frame, bytes):
            audio += frame
            continue
        events.append(json.loads(frame))
        if events[-1]["type"] == kind:
            return events, audio


async def test_plain_text_gives_audio_alone(ws: ClientConnection) -> None:
    await ws.send("Hello there.")
    frame = await asyncio.wait_for(ws.recv(), 30)
    assert isinstance(frame, bytes)
    assert len(frame) % 2 == 0


async def test_events_tell_sentence_by_sentence(ws: ClientConnection) -> None:
    await send(ws, type="config", events=True)
    await ws.send(TEXT)
    events, audio = await until(ws, "done")
    kinds = [(event["type"], event.get("index")) for event in events]
    assert kinds == [(kind, index) for index in range(3) for kind in ("sentence.started", "sentence.ended")] + [("done", None)]
    assert "".join(event["text"] for event in events if event["type"] == "sentence.started") == TEXT
    assert len(audio) / 2 / 24000 == pytest.approx(sum(event.get("seconds", 0) for event in events), abs=0.05)


async def test_the_socket_is_ready_for_the_next_text(ws: ClientConnection) -> None:
    for _ in range(3):
        await send(ws, type="speak", text="Once more.", events=True)
        events, audio = await until(ws, "done")
        assert events[-1] == {"type": "done", "cancelled": False}
        assert audio


async def test_texts_wait_for_their_turn(ws: ClientConnection) -> None:
    for text in ("One.", "Two."):
        await send(ws, type="speak", text=text, events=True)
    spoken = [(await until(ws, "done"))[0][0]["text"] for _ in range(2)]
    assert spoken == ["One.", "Two."]


async def spoken(ws: ClientConnection, text: str = "Always the same words.", **options: Any) -> bytes:
    await send(ws, type="speak", text=text, events=True, **options)
    return (await until(ws, "done"))[1]


def pitch(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, "<i2")
    return float(np.abs(np.fft.rfft(samples)).argmax() * 24000 / len(samples))


async def test_speed_shortens(ws: ClientConnection) -> None:
    assert len(await spoken(ws, speed=2)) == pytest.approx(len(await spoken(ws)) / 2, rel=0.1)


@pytest.mark.parametrize("voice", ["mock-low", "mock-high"])
async def test_the_voice_is_the_one_asked_for(ws: ClientConnection, voice: str) -> None:
    assert pitch(await spoken(ws, voice=voice)) == pytest.approx(frequency(voice), abs=2)


async def test_numbers_are_read_unless_asked_otherwise(ws: ClientConnection) -> None:
    assert len(await spoken(ws, "It was 1999.")) > 2 * len(await spoken(ws, "It was 1999.", normalize=False))


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac"])
async def test_an_encoded_text_is_a_whole_file(ws: ClientConnection, format: str) -> None:
    seconds = len(await spoken(ws, TEXT)) / 2 / 24000
    with av.open(io.BytesIO(await spoken(ws, TEXT, format=format))) as file:
        assert sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0)) == pytest.approx(seconds, abs=0.15)


async def test_a_format_is_one_stream(ws: ClientConnection) -> None:
    await send(ws, type="speak", text=TEXT, format="wav", events=True)
    _, audio = await until(ws, "done")
    assert audio.startswith(b"RIFF")
    assert audio.count(b"RIFF") == 1


async def test_cancel_ends_every_text_with_done_and_the_socket_lives(hanging: Server) -> None:
    async with opened(hanging) as ws:
        for events in (True, True, False, True):
            await send(ws, type="speak", text=ENDLESS, events=events)
        await until(ws, "sentence.started")
        await send(ws, type="cancel")
        await send(ws, type="speak", text="After it.", events=True)
        events, _ = await until(ws, "sentence.started")
        assert events[:-1] == [{"type": "done", "cancelled": True}] * 3
        assert events[-1]["text"] == "After it."


async def test_cancel_makes_room_for_as_many_texts_as_before(hanging: Server) -> None:
    async with opened(hanging) as ws:
        for _ in range(2):
            for _ in range(32):
                await send(ws, type="speak", text=ENDLESS, events=True)
            await send(ws, type="cancel")
        events = [event for _ in range(64) for event in (await until(ws, "done"))[0]]
        assert "error" not in {event["type"] for event in events}


async def test_cancel_while_idle_does_nothing(ws: ClientConnection) -> None:
    await send(ws, type="cancel")
    await send(ws, type="speak", text="Next.", events=True)
    assert [event["type"] for event in (await until(ws, "done"))[0]] == ["sentence.started", "sentence.ended", "done"]


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ('{"type": "shout"}', "'config', 'speak', 'cancel'"),
        ('{"text": "no type"}', "discriminator 'type'"),
        ('{"type": "speak"}', "text: Field required"),
        ('{"type": "config", "speed": 9}', "less than or equal to 4"),
        ('{"type": "config", "voice": "bob"}', "unknown voice 'bob'"),
        ('{"type": "config", "colour": "red"}', "colour"),
        ("   ", "text is empty"),
        ("x" * 4097, "at most 4096"),
        (b"\x00\x01", "binary frame"),
        (' {"type": "speak", "text": "cut of', "begins with { and is not JSON"),
        ("{not json}", 'send {"type": "speak", "text": ...}'),
        ('{"type": "speak", "text": "Hi \\ud83d there."}', "surrogate"),
        ("***", "text has nothing that can be spoken"),
        ('{"type": "speak", "text": "😀", "normalize": false}', "text has nothing that can be spoken"),
        ('{"type": "speak", "text": ' + "[" * 1000 + "]" * 1000 + "}", "text: "),
    ],
)
async def test_bad_input_is_an_error_event_and_the_socket_lives(ws: ClientConnection, frame: str | bytes, told: str) -> None:
    await ws.send(frame)
    events, _ = await until(ws, "error")
    assert told in events[0]["error"]["message"]
    await send(ws, type="speak", text="Still here.", events=True)
    assert (await until(ws, "done"))[1]


async def test_too_many_waiting_texts_are_refused(ws: ClientConnection) -> None:
    for _ in range(40):
        await ws.send(TEXT * 50)
    events, _ = await until(ws, "error")
    assert events[0]["error"]["code"] == "overloaded"


async def test_a_brace_in_a_speak_message_is_spoken(ws: ClientConnection) -> None:
    assert await spoken(ws, "{so it is}")


async def test_closing_the_socket_stops_the_work(hanging: Server) -> None:
    async with opened(hanging) as ws:
        for _ in range(3):
            await ws.send(ENDLESS * 4)
        hanging.until(RUNNING, 2)
        hanging.until(WAITING, 2)
    hanging.until(RUNNING, 0)
    hanging.until(WAITING, 0)


async def test_sockets_with_the_same_request_id_do_not_meet(hanging: Server) -> None:
    same = {"additional_headers": {"x-request-id": "same"}}
    async with opened(hanging, **same) as one, opened(hanging, **same) as other:
        await one.send(ENDLESS)
        await one.recv()
        assert await spoken(other, "Hello.")
        assert other.response.headers["x-request-id"] == "same"  # type: ignore[union-attr]


async def test_many_sockets_each_get_their_own(server: Server) -> None:
    async def one(length: int) -> tuple[int, float]:
        async with opened(server) as ws:
            await send(ws, type="speak", text="a" * length + ".", events=True, normalize=False)
            events, audio = await until(ws, "done")
            return len(audio), events[1]["seconds"]

    alone = {length: await one(length) for length in (10, 20, 30)}
    together = await asyncio.gather(*(one(length) for length in (10, 20, 30) * 8))
    assert together == [alone[length] for length in (10, 20, 30) * 8]


async def test_the_client_may_vanish_in_mid_sentence(server: Server) -> None:
    ws = await opened(server)
    await ws.send(TEXT * 50)
    await ws.recv()
    ws.transport.abort()
    with pytest.raises(ConnectionClosed):
        while True:
            await ws.recv()
    assert server.status("/readyz") == 200
