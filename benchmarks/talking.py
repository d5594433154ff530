"""A client that talks: a recording is sent to /v1/realtime as a microphone hears it, and the arrival of every event is noted."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

RATE = 24000
PIECE = 480
"""Samples that are sent at a time: 20 ms, as browsers do."""
LOUD = 0.01
"""Share of full scale (-40 dB) from which a sample counts as speech."""
LONGEST = 120.0
"""Seconds that an event may take to come."""
Samples = NDArray[np.int16]
Event = dict[str, Any]


class Refused(Exception):
    """The server said what was wrong."""


@dataclass
class Noted:
    """Events with their arrivals, in the order in which they came."""

    events: list[tuple[float, Event]] = field(default_factory=list)

    def at(self, kind: str, since: float = 0.0) -> float:
        """Of the first one after `since`. Raises LookupError."""
        return self._all(kind, since)[0]

    def last(self, kind: str) -> float:
        """Raises LookupError."""
        return self._all(kind)[-1]

    def _all(self, kind: str, since: float = 0.0) -> list[float]:
        return [at for at, event in self.events if event["type"] == kind and at >= since]

    def of(self, kind: str) -> list[Event]:
        return [event for _, event in self.events if event["type"] == kind]

    def audio(self) -> Samples:
        """Of all answers."""
        return np.frombuffer(b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta")), "<i2")

    def audible(self) -> float:
        """When a player that plays at once comes to the first loud sample."""
        return self.at("response.output_audio.delta") + speech(self.audio())[0] / RATE


class Talker:
    """One session. A microphone is never silent: what is not `said` is sent as silence."""

    def __init__(self, socket: ClientConnection) -> None:
        self.noted = Noted()
        self._socket = socket
        self._said: list[tuple[Samples, asyncio.Future[tuple[float, float]]]] = []
        self._came = asyncio.Event()

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(orjson.dumps({"type": kind, **fields}).decode())

    async def say(self, samples: Samples) -> tuple[float, float]:
        """Returns when its first and its last loud sample were spoken, once it is over."""
        done: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()
        self._said.append((samples, done))
        return await done

    async def append(self, samples: Samples) -> None:
        """All of it at once, as a recording."""
        await self.send("input_audio_buffer.append", audio=base64.b64encode(samples.tobytes()).decode())

    async def until(self, kind: str, since: float = 0.0) -> float:
        """When it came. Raises Refused for an error that the server tells before."""
        async with asyncio.timeout(LONGEST):
            while True:
                with suppress(LookupError):
                    return self.noted.at(kind, since)
                if errors := self.noted.of("error"):
                    raise Refused(str(errors[0]["error"]))
                self._came.clear()
                await self._came.wait()

    async def read(self) -> None:
        async for frame in self._socket:
            self.noted.events.append((perf_counter(), orjson.loads(frame)))
            self._came.set()

    async def talk(self) -> None:
        """On the clock: a piece is sent when its last sample has been spoken."""
        begin, sent = perf_counter(), 0
        while True:
            samples, done = self._said.pop(0) if self._said else (np.zeros(PIECE, np.int16), None)
            since = begin + sent / RATE
            for place in range(0, len(samples), PIECE):
                piece = samples[place : place + PIECE]
                sent += len(piece)
                await asyncio.sleep(max(0.0, begin + sent / RATE - perf_counter()))
                await self.append(piece)
            if done:
                first, last = speech(samples)
                done.set_result((since + first / RATE, since + last / RATE))


@asynccontextmanager
async def talker(port: int, *, microphone: bool = True, **session: Any) -> AsyncIterator[Talker]:
    """Raises Refused for a session that is not to be had."""
    async with connect(f"ws://127.0.0.1:{port}/v1/realtime", compression=None, max_size=None) as socket:
        one = Talker(socket)
        tasks = [asyncio.create_task(one.read())]
        await one.send("session.update", session={"type": "realtime", **session})
        await one.until("session.updated")
        if microphone:
            tasks.append(asyncio.create_task(one.talk()))
        try:
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def speech(samples: Samples) -> tuple[int, int]:
    """The places of the first and the last loud sample. Raises ValueError for silence."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= LOUD * 32768)
    if not len(loud):
        raise ValueError(f"{len(samples) / RATE:.1f} s of audio without a loud sample")
    return int(loud[0]), int(loud[-1])
