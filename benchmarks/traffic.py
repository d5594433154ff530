"""One request of each kind that Fireside serves, with what must come of it: the load of the benchmarks that count how requests end.

A kind is an async generator of the pieces of its answer's content. It ends when the server says that the answer is whole; it raises Refused
before the first piece and Told after it where the server says what is wrong, and Silent where it ends without a word.
"""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks import chat as chats
from benchmarks.wire import Reply, Truncated, events, request

TEXTS = (
    "Nobody spoke for a while, and then the kettle began to sing.",
    "Dinner is ready, come in before it is cold.",
    "The fire was low when she came in from the rain.",
    "He put another log on it. Then he moved the kettle over the flame.",
)
TOKENS = 24
"""Of an answer."""
RATE = 24000
MOST = 240.0
"""Seconds that an answer may take."""
MIXED = "multipart/form-data; boundary=fireside"
CUT_OFF = "cut off"
_ERROR = "\n\nevent: error\ndata: "
Piece = str | bytes


class Clear(Exception):
    """The server said what was wrong: `code` as it told it, or the status."""

    def __init__(self, code: str, status: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class Refused(Clear):
    """Nothing of an answer came before."""


class Told(Clear):
    """Something of it did."""


class Silent(Exception):
    """It ended as if it were whole, and was not."""


@dataclass
class Ask:
    """One request. `accepted` is when the server's first byte came, 0 before."""

    port: int
    model: str
    number: int
    malformed: bool = False
    recordings: tuple[bytes, ...] = ()
    """WAV files of TEXTS."""
    began: float = field(default_factory=perf_counter)
    accepted: float = 0.0

    @property
    def text(self) -> str:
        return TEXTS[self.number % len(TEXTS)]


@dataclass(frozen=True, slots=True)
class Kind:
    """`route` as the server's metrics call it; `engine` is whose it is, and `audio` whether its content is that."""

    name: str
    route: str
    ask: Callable[[Ask], AsyncGenerator[Piece, None]]
    engine: str
    audio: bool = False


def wav(samples: bytes, rate: int = RATE) -> bytes:
    """A file of int16 samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setparams((1, 2, rate, 0, "NONE", ""))
        output.writeframes(samples)
    return file.getvalue()


async def _streamed(ask: Ask) -> AsyncGenerator[Piece, None]:
    body = b"{" if ask.malformed else chats.body(ask.model, chats.prompt(ask.number), TOKENS)
    async with _posted(ask, "/v1/chat/completions", body) as reply:
        some = False
        async for _, data in events(reply.pieces):
            if data == b"[DONE]":
                return
            content = orjson.loads(data)
            if "error" in content:
                raise (Told if some else Refused)(_code(content["error"]))
            if content["choices"] and (text := content["choices"][0]["delta"].get("content")):
                some = True
                yield text
    raise Silent


async def _whole(ask: Ask) -> AsyncGenerator[Piece, None]:
    wanted = orjson.loads(chats.body(ask.model, chats.prompt(ask.number), TOKENS))
    del wanted["stream"], wanted["stream_options"]
    body = orjson.dumps({**wanted, "temperature": "warm"} if ask.malformed else wanted)
    async with _posted(ask, "/v1/chat/completions", body) as reply:
        yield orjson.loads(await reply.body())["choices"][0]["message"]["content"]


async def _generated(ask: Ask) -> AsyncGenerator[Piece, None]:
    wanted: dict[str, Any] = {"prompt": chats.prompt(ask.number), "max_tokens": TOKENS, "temperature": 0}
    async with _posted(ask, "/generate", orjson.dumps({"prompt": 7} if ask.malformed else wanted)) as reply:
        said = ""
        async for _, data in reply.pieces:
            said += data.decode()
            if _ERROR in said:
                raise Told(_code(orjson.loads(said.split(_ERROR)[1])["error"]))
            yield data.decode()


async def _spoken(ask: Ask) -> AsyncGenerator[Piece, None]:
    wanted = {"model": "tts-1", "input": "" if ask.malformed else ask.text, "seed": ask.number % len(TEXTS), "response_format": "wav"}
    async with _posted(ask, "/v1/audio/speech", orjson.dumps(wanted)) as reply:
        try:
            async for _, data in reply.pieces:
                yield data
        except Truncated as error:  # in the midst of sound there are no words: HTTP says that it was not whole
            raise Told(CUT_OFF) from error


async def _transcribed(ask: Ask) -> AsyncGenerator[Piece, None]:
    recording = b"RIFF and no more" if ask.malformed else ask.recordings[ask.number % len(TEXTS)]
    head = '--fireside\r\nContent-Disposition: form-data; name="{}"'
    fields = (head + "\r\n\r\n{}\r\n").format("model", "whisper-1") + (head + "\r\n\r\n{}\r\n").format("language", "en")
    body = fields.encode() + head.format("file").encode() + b'; filename="a.wav"\r\n\r\n' + recording + b"\r\n--fireside--\r\n"
    async with _posted(ask, "/v1/audio/transcriptions", body, MIXED) as reply:
        yield orjson.loads(await reply.body())["text"]


async def _over_ws(ask: Ask) -> AsyncGenerator[Piece, None]:
    async with _opened(ask, "/ws") as socket:
        what = "sing" if ask.malformed else "speak"
        await _send(socket, what, text=ask.text, seed=ask.number % len(TEXTS), format="wav", events=True)
        async for piece in _audio(socket):
            yield piece


async def _over_stream(ask: Ask) -> AsyncGenerator[Piece, None]:
    async with _opened(ask, "/v1/audio/speech/stream") as socket:
        await _send(socket, "configure", format="wav", seed=ask.number % len(TEXTS), speed=90 if ask.malformed else 1)
        await _until(socket, "configured")
        for word in ask.text.split(" "):
            await _send(socket, "text", text=word + " ")
        await _send(socket, "end")
        async for piece in _audio(socket):
            yield piece


async def _conversed(ask: Ask) -> AsyncGenerator[Piece, None]:
    """The words of a spoken answer: its voice has no seed."""
    async with _opened(ask, "/v1/realtime") as socket:
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": chats.prompt(ask.number)}]}
        await _send(socket, "session.update", session={"type": "realtime", "max_output_tokens": -1 if ask.malformed else TOKENS})
        await _until(socket, "session.updated")
        await _send(socket, "conversation.item.create", item=said)
        await _send(socket, "response.create")
        some = False
        async for frame in socket:
            event = orjson.loads(frame)
            if event["type"] == "error":
                raise (Told if some else Refused)(_code(event["error"]))
            if event["type"] == "response.output_audio_transcript.delta":
                some = True
                yield event["delta"]
            elif event["type"] == "response.done":
                response = event["response"]
                if response["status"] == "failed":
                    raise (Told if some else Refused)(_code(response["status_details"]["error"]))
                return
        raise Silent


KINDS = (
    Kind("chat, streamed", "/v1/chat/completions", _streamed, "text"),
    Kind("chat", "/v1/chat/completions", _whole, "text"),
    Kind("/generate", "/generate", _generated, "text"),
    Kind("speech", "/v1/audio/speech", _spoken, "speech", audio=True),
    Kind("transcription", "/v1/audio/transcriptions", _transcribed, "listening"),
    Kind("/ws", "/ws", _over_ws, "speech", audio=True),
    Kind("speech stream", "/v1/audio/speech/stream", _over_stream, "speech", audio=True),
    Kind("realtime", "/v1/realtime", _conversed, "text"),
)


async def _until(socket: ClientConnection, kind: str) -> None:
    """What is sent after a message that was refused would be refused too, and counted twice."""
    async for frame in socket:
        message = orjson.loads(frame)
        if message["type"] == "error":
            raise Refused(_code(message["error"]))
        if message["type"] == kind:
            return
    raise Silent


async def _audio(socket: ClientConnection) -> AsyncIterator[bytes]:
    """Of the first text spoken on a socket."""
    some = False
    async for frame in socket:
        if isinstance(frame, bytes):
            some = True
            yield frame
        elif (message := orjson.loads(frame))["type"] == "error":
            raise (Told if some else Refused)(_code(message["error"]))
        elif message["type"] == "done":
            return
    raise Silent


@asynccontextmanager
async def _posted(ask: Ask, path: str, body: bytes, kind: str = "application/json") -> AsyncIterator[Reply]:
    async with request(ask.port, "POST", path, body, kind) as reply:
        ask.accepted = perf_counter()
        if reply.status != 200:
            raise Refused(_refusal(reply.status, await reply.body()), reply.status)
        yield reply


def _refusal(status: int, body: bytes) -> str:
    try:
        return _code(orjson.loads(body)["error"]) if body else str(status)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return str(status)


@asynccontextmanager
async def _opened(ask: Ask, path: str) -> AsyncIterator[ClientConnection]:
    try:
        async with connect(f"ws://127.0.0.1:{ask.port}{path}", compression=None, max_size=None, open_timeout=MOST) as socket:
            ask.accepted = perf_counter()
            yield socket
    except ConnectionClosed as error:
        if error.rcvd is None:  # no word of farewell
            raise
        raise Told(f"closed with {error.rcvd.code}") from error
    except InvalidHandshake as error:
        raise Refused(str(getattr(getattr(error, "response", None), "status_code", "no handshake"))) from error


async def _send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(orjson.dumps({"type": kind, **fields}).decode())


def _code(error: Any) -> str:
    return str(error.get("code") or error.get("type")) if isinstance(error, dict) else str(error)
