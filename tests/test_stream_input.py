"""WS /v1/text-to-speech/{voice}/stream-input, as a client of ElevenLabs uses it."""

from __future__ import annotations

import base64
import io
import json
from functools import partial
from typing import Any

import av
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api import metrics
from api.stream_input import InputSession
from tests.servers import Server
from tests.sessions import Client, Engine

pytestmark = pytest.mark.anyio
FIRST = {"text": " ", "voice_settings": {"stability": 0.5, "similarity_boost": 0.8, "speed": 1.0}, "xi_api_key": "key"}


async def answers(server: Server, *said: Any, voice: str = "alloy", query: str = "output_format=pcm_24000") -> list[dict[str, Any]]:
    """All until the server closes the socket."""
    found = []
    address = f"{server.url.replace('http', 'ws')}/v1/text-to-speech/{voice}/stream-input"
    async with connect(f"{address}?model_id=eleven_flash_v2_5&{query}") as ws:
        for message in said:
            await ws.send(message if isinstance(message, bytes) else json.dumps(message))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                found.append(json.loads(await ws.recv()))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == (1007 if "code" in found[-1] else 1000)
    return found


def audio(found: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(answer["audio"]) for answer in found if answer.get("audio"))


async def test_a_text_in_pieces_is_spoken_and_the_socket_closed(server: Server) -> None:
    pieces = [{"text": "Hello ", "try_trigger_generation": True}, {"text": "there. It is "}, {"text": "late. "}, {"text": ""}]
    found = await answers(server, FIRST, *pieces)
    body = {"model": "tts-1", "input": "Hello there. It is late. ", "response_format": "pcm"}
    assert audio(found) == httpx.post(f"{server.url}/v1/audio/speech", json=body).content
    assert found[-1] == {"audio": None, "isFinal": True}


async def test_characters_are_aligned_within_their_answer(server: Server) -> None:
    found = await answers(server, FIRST, {"text": "It costs $5 now. And more."}, {"text": ""})
    clock, chars, starts = 0.0, "", []
    for answer in found[:-1]:
        if aligned := answer["alignment"]:
            chars += "".join(aligned["chars"])
            starts += [clock + start / 1000 for start in aligned["charStartTimesMs"]]
            assert len(aligned["chars"]) == len(aligned["charStartTimesMs"]) == len(aligned["charDurationsMs"])
        clock += len(base64.b64decode(answer["audio"])) / 2 / 24000
    assert chars == "It costs $5 now. And more."
    assert starts == sorted(starts)
    assert starts[chars.index("$")] == pytest.approx(len("It costs ") * 0.06, abs=0.01)


async def test_the_usual_format_is_mp3(server: Server) -> None:
    found = await answers(server, FIRST, {"text": "Hello there.", "flush": True}, {"text": ""}, query="voice=bob")
    with av.open(io.BytesIO(audio(found))) as file:
        assert file.streams.audio[0].rate == 44100


async def test_speed_is_the_one_of_the_first_message(server: Server) -> None:
    quick = {**FIRST, "voice_settings": {"speed": 1.2}}
    slow, fast = [len(audio(await answers(server, first, {"text": "Hello there."}, {"text": ""}))) for first in (FIRST, quick)]
    assert fast == pytest.approx(slow / 1.2, rel=0.02)


@pytest.mark.parametrize(
    ("where", "told"),
    [({"voice": "bob"}, "unknown voice 'bob'"), ({"query": "output_format=ulaw_8000"}, "pcm_24000 or mp3"), ({"query": "seed=x"}, "seed")],
)
async def test_what_it_cannot_do_is_told_and_the_socket_closed(server: Server, where: dict[str, str], told: str) -> None:
    (refusal,) = await answers(server, **where)
    assert told in refusal["message"]


def counted(*outcomes: str) -> list[float]:
    return [metrics.requests.labels(InputSession.route, outcome)._value.get() for outcome in outcomes]


async def test_a_refused_socket_is_one_refused_request() -> None:
    refused, cancelled = counted("voice_not_found", "cancelled")
    client = Client(Engine(), partial(InputSession, voice="bob"))
    for message in (FIRST, {"text": "Hello. "}):
        client.send(json.dumps(message))
    assert "unknown voice 'bob'" in (await client.event())["message"]
    assert (await client.message())["code"] == 1007
    await client.session
    assert counted("voice_not_found", "cancelled") == [refused + 1, cancelled]


async def test_a_socket_that_was_opened_ahead_and_not_used_is_no_request() -> None:
    before = counted("ok", "cancelled")
    client = Client(Engine(), partial(InputSession, voice="v"))
    client.send(json.dumps(FIRST))
    client.leave()
    await client.session
    assert counted("ok", "cancelled") == before


async def test_a_flush_may_come_alone() -> None:
    client = Client(engine := Engine(), partial(InputSession, voice="v"))
    for message in ({"flush": True}, {"text": "no full stop"}, {"flush": True}):
        client.send(json.dumps(message))
    assert "audio" in await client.event()
    assert [job.text for job in engine.jobs] == ["no full stop"]
    client.leave()
    await client.session


async def test_what_comes_after_the_end_is_refused() -> None:
    client = Client(Engine(), partial(InputSession, voice="v"))
    for text in ("Please wait.", "", "", " ", "More."):
        client.send(json.dumps({"text": text}))
    assert "the text has ended" in (await client.event())["message"]
    client.leave()
    await client.session


async def test_a_bad_message_is_told_and_the_socket_lives(server: Server) -> None:
    found = await answers(server, FIRST, {"words": "Hello"}, b"\x00", {"text": "Hello."}, {"text": ""})
    assert """expected {"text": "..."} or {"flush": true}; got neither in '{"words":""" in found[0]["message"]
    assert "got a binary frame" in found[1]["message"]
    assert audio(found)
