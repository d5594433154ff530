"""Listening clients: every piece of audio with its arrival, and a simulated player that starts with the first piece."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal
from urllib.parse import urlencode

import numpy as np
import orjson
import uvloop
from websockets.asyncio.client import connect

from benchmarks.apart import Side
from benchmarks.wire import Piece, request

Route = Literal["coqui", "http", "ws"]
TEXT = (
    "The fire was low when she came in from the rain. He put another log on it and moved the kettle over the flame. "
    "Outside the wind went round the house like an animal that wants to be let in. Neither of them spoke for a while. "
    "Then the kettle began to sing, and the long evening was a good place to be."
)
SENTENCE = (
    "The old lighthouse keeper climbed the narrow stairs every evening at the same hour, and when he reached the lamp at the top he stood "
    "there for a while and counted the lights of the boats that had not come home from the sea."
)
"""One of eleven seconds."""
EARLY = 0.2
"""Seconds of audio after which a player has begun for certain."""
AUDIBLE = 0.01
"""Share of full scale (-40 dB) from which a sample counts as heard."""
TOLERANCE = 0.002
"""Seconds by which a piece may come late before the player counts as run dry."""


class NoAudio(Exception):
    """The server refused, or its audio could not be read."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance, in seconds since the request: `first` audio byte, first `audible` sample as played, `wall` to the last byte."""

    first: float
    audible: float
    wall: float
    seconds: float
    """Of audio."""
    underruns: int
    stalled: float
    """Seconds of silence that the underruns made."""
    early: float
    """When the first 0.2 s of audio were there."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Clients that asked together."""

    heard: list[Heard]

    @property
    def speed(self) -> float:
        """Seconds of audio per second of wall clock, all clients together."""
        return sum(one.seconds for one in self.heard) / max(one.wall for one in self.heard)


def play(began: float, pieces: list[tuple[float, int]], rate: int) -> tuple[list[float], int, float]:
    """When a player that starts with its first piece plays each one (seconds since `began`), how often it ran dry, and for how long.

    `pieces` holds arrival and number of samples.
    """
    starts: list[float] = []
    clock, underruns, stalled = 0.0, 0, 0.0
    for number, (arrival, samples) in enumerate(pieces):
        late = arrival - began - clock
        if number and late > TOLERANCE:
            underruns, stalled = underruns + 1, stalled + late
        clock = max(clock, arrival - began)
        starts.append(clock)
        clock += samples / rate
    return starts, underruns, stalled


def heard(began: float, pieces: list[Piece]) -> Heard:
    """Take a WAV stream apart. Raises NoAudio when it holds none."""
    rate, audio = _samples(pieces)
    starts, underruns, stalled = play(began, [(at, len(samples)) for at, samples in audio], rate)
    total = sum(len(samples) for _, samples in audio)
    early = _early([(at - began, len(samples) / rate) for at, samples in audio])
    return Heard(audio[0][0] - began, _audible(starts, audio, rate), pieces[-1][0] - began, total / rate, underruns, stalled, early)


def measure(port: int, route: Route, clients: int, repeats: int, text: str = TEXT, side: Side | None = None) -> list[Crowd]:
    """Crowds of `clients` clients one after the other, after two utterances that warm up."""
    return uvloop.run(_measure(port, route, clients, repeats, text, side or Side()))


async def speak(port: int, route: Route, text: str = TEXT) -> Heard:
    """Ask for the whole text at once and listen to its end."""
    began = perf_counter()
    return heard(began, [piece async for piece in ROUTES[route](port, text)])


async def _measure(port: int, route: Route, clients: int, repeats: int, text: str, side: Side) -> list[Crowd]:
    async def crowd() -> Crowd:
        return Crowd(list(await asyncio.gather(*(speak(port, route, text) for _ in range(clients)))))

    for _ in range(2):
        await speak(port, route, text)
    side.begin()
    measured = [await crowd() for _ in range(repeats)]
    side.done()
    while side.goes_on():
        await crowd()
    return measured


async def _coqui(port: int, text: str) -> AsyncIterator[Piece]:
    async for piece in _body(port, "GET", "/api/tts?" + urlencode({"text": text}), b""):
        yield piece


async def _http(port: int, text: str) -> AsyncIterator[Piece]:
    async for piece in _body(port, "POST", "/v1/audio/speech", orjson.dumps({"model": "tts-1", "input": text, "response_format": "wav"})):
        yield piece


async def _body(port: int, method: str, path: str, body: bytes) -> AsyncIterator[Piece]:
    async with request(port, method, path, body) as reply:
        if reply.status != 200:
            raise NoAudio(f"status {reply.status}: {(await reply.body())[:500]!r}")
        async for piece in reply.pieces:
            yield piece


async def _ws(port: int, text: str) -> AsyncIterator[Piece]:
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, max_size=None) as socket:
        await socket.send(orjson.dumps({"type": "speak", "text": text, "format": "wav", "events": True}).decode())
        async for frame in socket:
            if isinstance(frame, bytes):
                yield perf_counter(), frame
            elif (message := orjson.loads(frame))["type"] == "error":
                raise NoAudio(f"the socket said {frame!r}")
            elif message["type"] == "done":
                return


ROUTES: dict[Route, Callable[[int, str], AsyncIterator[Piece]]] = {"coqui": _coqui, "http": _http, "ws": _ws}


def _samples(pieces: list[Piece]) -> tuple[int, list[tuple[float, np.ndarray]]]:
    """The rate from the header, and the samples of each piece after it; an odd byte waits for its other half."""
    rest, rate, audio = b"", 0, []
    for at, data in pieces:
        rest += data
        if not rate:
            if (start := rest.find(b"data")) < 0 or len(rest) < start + 8:
                continue
            rate, rest = struct.unpack_from("<I", rest, 24)[0], rest[start + 8 :]
        whole = len(rest) & ~1
        if whole:
            audio.append((at, np.frombuffer(rest[:whole], "<i2")))
        rest = rest[whole:]
    if not audio:
        raise NoAudio(f"expected a WAV stream with samples, got {sum(len(data) for _, data in pieces)} bytes")
    return rate, audio


def _early(pieces: list[tuple[float, float]]) -> float:
    """From arrivals and seconds; of a shorter text the arrival of its end."""
    total = itertools.accumulate(seconds for _, seconds in pieces)
    return next((at for (at, _), seconds in zip(pieces, total, strict=True) if seconds >= EARLY), pieces[-1][0])


def _audible(starts: list[float], audio: list[tuple[float, np.ndarray]], rate: int) -> float:
    for start, (_, samples) in zip(starts, audio, strict=True):
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= AUDIBLE * 32768)
        if len(loud):
            return start + float(loud[0]) / rate
    raise NoAudio("the whole audio is silent")
