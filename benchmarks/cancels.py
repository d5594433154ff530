"""Speech under 10,000 cancelled and 1,000 completed requests, in random order: whose audio comes, what is left, and how memory goes.

Sixteen clients ask at once, over HTTP and over a socket that is kept. Each request is one of forty pairs of text and seed whose audio is
known: what is completed must be that audio, what is cancelled its beginning, sample for sample within 1e-4 of full scale. HTTP clients
cancel by leaving, socket clients by a message, or by leaving too.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks import recipes, voice
from benchmarks.faults import Cuts, memory_of, quiet
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.wire import Truncated, request

CLIENTS = 16
TEXTS = (
    "Yes.",
    "Nobody spoke.",
    "Dinner is ready, come in.",
    "The fire was low when she came in from the rain.",
    "He put another log on it. Then he moved the kettle over the flame.",
)
SEEDS = 8
HEADER = 44
LONGEST_WAIT = 0.4
"""Seconds after which a client has cancelled at the latest, if it is to."""
APART = 8
"""Steps of int16 by which equal audio may differ: 1e-4 twice, and rounding."""
LEAK = 8
"""KiB a request, as in the benchmark of faults."""

Key = tuple[str, int]
Known = dict[Key, np.ndarray]


@dataclass
class Tally:
    """`wrong` counts audio that was not the client's own; `outcomes` how requests ended, by route."""

    wrong: int = 0
    short: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def compare(self, got: bytes, known: np.ndarray, *, whole: bool) -> None:
        samples = np.frombuffer(got[HEADER : len(got) & ~1], "<i2").astype(int)
        self.short += whole and len(samples) != len(known)
        self.wrong += len(samples) > len(known) or bool((np.abs(samples - known[: len(samples)]) > APART).any())


def main() -> None:
    options = _options()
    profile = recipes.variant(options.profile, {"text": {"engine": "none"}})
    with running(recipes.fireside(profile)) as server:
        tally, cuts = asyncio.run(_all(server, options.cancelled, options.completed))
    report(tally, cuts, options.cancelled, options.completed).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cancels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="what to serve, without its text engine (default cpu)")
    parser.add_argument("--cancelled", type=int, default=10_000, help="requests to cancel (default 10000)")
    parser.add_argument("--completed", type=int, default=1_000, help="requests to complete (default 1000)")
    return parser.parse_args()


async def _all(server: Server, cancelled: int, completed: int) -> tuple[Tally, Cuts]:
    """In ten parts; memory is looked at after the first, half way and at the end, when all is quiet."""
    known = {(text, seed): await _known(server, (text, seed)) for text in TEXTS for seed in range(SEEDS)}
    plan = [False] * cancelled + [True] * completed
    random.Random(0).shuffle(plan)
    tally, memory, left = Tally(), dict[str, list[int]](), 0.0
    for part in range(10):
        say(f"part {part + 1} of 10: {tally.outcomes.total()} requests, {tally.wrong} wrong")
        await _crowd(server, tally, known, plan[part::10])
        left += await quiet(server)
        if part in (0, 4, 9):
            for name, size in memory_of(server).items():
                memory.setdefault(name, []).append(size)
    return tally, Cuts(len(plan), left, 0.0, memory)


async def _known(server: Server, key: Key) -> np.ndarray:
    async with request(server.port, "POST", "/v1/audio/speech", _body(key)) as reply:
        body = await reply.body()
    if reply.status != 200:
        raise voice.NoAudio(f"status {reply.status}: {body[:500]!r}")
    return np.frombuffer(body[HEADER:], "<i2").astype(int)


def _body(key: Key) -> bytes:
    return orjson.dumps({"model": "tts-1", "input": key[0], "seed": key[1], "response_format": "wav"})


async def _crowd(server: Server, tally: Tally, known: Known, plan: list[bool]) -> None:
    work = iter(plan)
    await asyncio.gather(*(_client(server, tally, known, work, number % 2 == 0) for number in range(CLIENTS)))


async def _client(server: Server, tally: Tally, known: Known, work: Iterator[bool], over_http: bool) -> None:
    socket: ClientConnection | None = None
    for whole in work:
        key = random.choice(list(known))
        if over_http:
            got, outcome = await _http(server, key, whole)
        else:
            socket = socket or await connect(f"ws://127.0.0.1:{server.port}/ws", compression=None, max_size=None)
            got, outcome = await _ws(socket, key, whole)
            if outcome in {"left", "broken off"}:
                socket = None
        tally.outcomes[f"{'HTTP' if over_http else 'socket'}: {outcome}"] += 1
        tally.compare(got, known[key], whole=whole)
    if socket is not None:
        await socket.close()


async def _http(server: Server, key: Key, whole: bool) -> tuple[bytes, str]:
    got = bytearray()
    try:
        async with asyncio.timeout(None if whole else random.uniform(0, LONGEST_WAIT)):
            async with request(server.port, "POST", "/v1/audio/speech", _body(key)) as reply:
                if reply.status != 200:
                    return b"", f"status {reply.status}"
                async for _, data in reply.pieces:
                    got += data
    except TimeoutError:
        return bytes(got), "left"
    except (Truncated, OSError):
        return bytes(got), "broken off"
    return bytes(got), "completed"


async def _ws(socket: ClientConnection, key: Key, whole: bool) -> tuple[bytes, str]:
    got = bytearray()
    try:
        outcome = await _spoken(socket, got, key, whole)
    except ConnectionClosed:
        outcome = "broken off"
    return bytes(got), outcome


async def _spoken(socket: ClientConnection, got: bytearray, key: Key, whole: bool) -> str:
    await socket.send(orjson.dumps({"type": "speak", "text": key[0], "seed": key[1], "format": "wav", "events": True}).decode())
    with suppress(TimeoutError):
        async with asyncio.timeout(None if whole else random.uniform(0, LONGEST_WAIT)):
            return await _until_done(socket, got)
    if random.random() < 0.2:
        await socket.close()
        return "left"
    await socket.send('{"type": "cancel"}')
    return await _until_done(socket, got)


async def _until_done(socket: ClientConnection, got: bytearray) -> str:
    async for frame in socket:
        if isinstance(frame, bytes):
            got += frame
        elif (message := orjson.loads(frame))["type"] == "done":
            return "cancelled" if message["cancelled"] else "completed"
        elif message["type"] == "error":
            return str(message["error"]["code"])
    return "broken off"


def report(tally: Tally, cuts: Cuts, cancelled: int, completed: int) -> Report:
    table = Table("How they ended", ("how", "requests"), sorted(tally.outcomes.items()))
    memory = Table("Memory", ("process", "MiB after a tenth", "half way", "at the end", "KiB a request, second half"))
    found = Report("cancels", f"{cancelled} cancelled and {completed} completed requests", __doc__ or "", [table, memory])
    odd = {outcome.split(": ")[1] for outcome in tally.outcomes} - {"completed", "cancelled", "left"}
    found.targets = [
        Target("audio that was another's", "0", str(tally.wrong), tally.wrong == 0),
        Target("completed, but not of the right length", "0", str(tally.short), tally.short == 0),
        Target("ends other than completed, cancelled, left", "none", str(odd or "none"), not odd),
        Target("jobs left in the server", "0", f"{cuts.running:.0f}", cuts.running == 0),
    ]
    for part, sizes in cuts.memory.items():
        leak = cuts.leak(part)
        memory.rows.append((part, *(f"{size / 2**20:.1f}" for size in sizes), leak))
        found.targets.append(Target(f"memory of {part}", f"<= {LEAK} KiB a request", f"{leak:.1f}", leak <= LEAK))
    return found


if __name__ == "__main__":
    main()
