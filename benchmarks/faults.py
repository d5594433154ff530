"""What clients see when things break: an engine process killed under load, and a thousand streams cut at random moments.

Chat and speech clients ask again and again; in the middle the process of one engine gets SIGKILL. Counted is how each request ended:
completed, error event (a clear one in mid-stream), refused (a clear status), cut (the connection broke off in the middle of a body, which
every HTTP client reports) or silent end, which must not happen. Timed, from the kill: the first error seen, /readyz falling, /readyz back.

Afterwards streams are cut at random moments: nothing may be left running, and memory must not have grown. On the mock profile only the
speech worker can be killed: its text engine has no process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import orjson

import settings as configuration
from benchmarks import chat, recipes, voice
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Row, Table, Target
from benchmarks.wire import Truncated, request

MARKS = {"text": ("EngineCore",), "speech": ("models.speech.worker",), "listening": ("models.listening.worker",)}
CACHE = "vLLM's worker"
"""Without a GPU this process holds the KV cache, of which each new prompt touches more: it fills up, and is no leak."""
OUTCOMES = ("completed", "error event", "refused", "cut", "silent end")
LEAK = 8
"""KiB. A request that is kept alive holds more: its prompt, its tasks, its encoder."""
LONGEST = 180.0
"""Seconds that recovery may take."""


@dataclass
class Ended:
    kind: str
    began: float
    ended: float
    outcome: str


@dataclass
class Scene:
    """One kill. Times are in seconds after it."""

    victim: str
    killed: float = 0.0
    unready: float = float("nan")
    ready: float = float("nan")
    requests: list[Ended] = field(default_factory=list)

    def during(self, kind: str) -> Counter[str]:
        """How the requests of one kind ended that ended after the kill."""
        return Counter(one.outcome for one in self.requests if one.kind == kind and one.ended >= self.killed)

    def first_error(self) -> float:
        ends = [one.ended - self.killed for one in self.requests if one.outcome != "completed" and one.ended >= self.killed]
        return min(ends, default=float("nan"))


def main() -> None:
    options = _options()
    paced = {"text": {"mock": {"tokens_per_second": 50}}} if options.profile == "mock" else {}
    profile = recipes.variant(options.profile, paced)
    settings = configuration.load(profile)
    model = recipes.text_model(settings)
    victims = [name for name in options.kill if name == "speech" or settings.text.engine == "vllm"]
    with running(recipes.fireside(profile)) as server:
        scenes = [asyncio.run(kill(server, victim, model, options.chats, options.speakers)) for victim in victims]
        cuts = asyncio.run(cut_all(server, model, options.cuts, options.at_once))
    report(scenes, cuts).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="what to serve (default cpu)")
    parser.add_argument("--kill", nargs="*", choices=["speech", "text"], default=["text", "speech"], help="whose process gets SIGKILL")
    parser.add_argument("--chats", type=int, default=8, help="chat clients during a kill (default 8)")
    parser.add_argument("--speakers", type=int, default=2, help="speech clients during a kill (default 2)")
    parser.add_argument("--cuts", type=int, default=1000, help="streams to cut (default 1000)")
    parser.add_argument("--at-once", type=int, default=16, help="streams at once while cutting (default 16)")
    return parser.parse_args()


async def kill(server: Server, victim: str, model: str, chats: int, speakers: int) -> Scene:
    """Kill the victim's process under load and watch until the server is ready and has answered again."""
    say(f"killing the {victim} engine's process under load")
    scene, stop = Scene(victim), asyncio.Event()
    load = [_loop(scene, stop, "chat", lambda: _chat(server, model)) for _ in range(chats)]
    load += [_loop(scene, stop, "speech", lambda: _speech(server)) for _ in range(speakers)]
    clients = asyncio.gather(*load)
    await _until(lambda: len(scene.requests) >= chats, 120)
    server.find(*MARKS[victim]).kill()
    scene.killed = perf_counter()
    scene.unready = await when(server, 503, scene.killed)
    scene.ready = await when(server, 200, scene.killed)
    again = len(scene.requests)
    with suppress(TimeoutError):
        await _until(lambda: len(scene.requests) >= again + chats + speakers, 60)
    stop.set()
    await clients
    return scene


async def _loop(scene: Scene, stop: asyncio.Event, kind: str, ask: Callable[[], Awaitable[str]]) -> None:
    while not stop.is_set():
        began = perf_counter()
        outcome = await ask()
        scene.requests.append(Ended(kind, began, perf_counter(), outcome))
        if outcome != "completed":  # as a client does that was told to come back later
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.25)


async def _chat(server: Server, model: str) -> str:
    return (await chat.chat(server.port, model, chat.prompt(random.randrange(1_000_000)), 64)).outcome


async def _speech(server: Server) -> str:
    try:
        async with request(server.port, "POST", "/v1/audio/speech", _spoken()) as reply:
            body = await reply.body()
            return ("completed" if len(body) > 1000 else "silent end") if reply.status == 200 else "refused"
    except (Truncated, OSError):
        return "cut"


def _spoken() -> bytes:
    return orjson.dumps({"model": "tts-1", "input": voice.TEXT, "response_format": "wav"})


async def when(server: Server, status: int, since: float) -> float:
    """Seconds from `since` until /readyz answers so; nan when it does not within LONGEST."""
    while perf_counter() - since < LONGEST:
        if await asyncio.to_thread(server.status, "/readyz") == status:
            return perf_counter() - since
        await asyncio.sleep(0.01)
    return float("nan")


async def _until(true: Callable[[], bool], limit: float) -> None:
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


@dataclass
class Cuts:
    amount: int
    running: float
    """What the server said was still running at the end."""
    quiet_after: float
    """Seconds from the last cut until nothing was running."""
    memory: dict[str, list[int]]
    """Bytes of each part of the server: after the warm-up, half way, and at the end."""

    def leak(self, part: str) -> float:
        """KiB that a stream of the second half left behind, beyond what was in use before: an allocator gives back and takes again."""
        *earlier, end = self.memory[part]
        return (end - max(earlier)) / 1024 / (self.amount - self.amount // 2)


async def cut_all(server: Server, model: str, amount: int, at_once: int) -> Cuts:
    """Cut `amount` streams at random moments, after a tenth as many that warm up."""
    say(f"cutting {amount} streams")
    memory: dict[str, list[int]] = {}
    for part in (max(amount // 10, 1), amount // 2, amount - amount // 2):
        await _cut_many(server, model, part, at_once)
        began = perf_counter()
        left = await quiet(server)
        quiet_after = perf_counter() - began
        for name, size in memory_of(server).items():
            memory.setdefault(name, []).append(size)
    return Cuts(amount, left, quiet_after, memory)


def memory_of(server: Server) -> dict[str, int]:
    """Bytes of the engines' processes, and of all others together."""
    engines = {name: server.held(*marks) for name, marks in (MARKS | {CACHE: ("VLLM::Worker",)}).items()}
    rest = server.held() - sum(engines.values())
    return {"service": rest} | {name: size for name, size in engines.items() if size}


async def _cut_many(server: Server, model: str, amount: int, at_once: int) -> None:
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with places:
            await _cut(server, model, number)

    await asyncio.gather(*(one(number) for number in range(amount)))


async def _cut(server: Server, model: str, number: int) -> None:
    """Every fifth is speech. Closing the connection is all a client that leaves does."""
    path, body = (
        ("/v1/audio/speech", _spoken()) if number % 5 == 0 else ("/v1/chat/completions", chat.body(model, chat.prompt(number), 400))
    )
    with suppress(TimeoutError, Truncated, OSError):
        async with asyncio.timeout(random.uniform(0, 1)), request(server.port, "POST", path, body) as reply:
            await reply.body()


async def quiet(server: Server) -> float:
    with suppress(TimeoutError):
        await _until(lambda: _running(server) == 0, 30)
    return _running(server)


def _running(server: Server) -> float:
    return server.metric("fireside_running") + server.metric("fireside_waiting")


def report(scenes: list[Scene], cuts: Cuts) -> Report:
    columns = ("killed", "first error s", "readyz 503 s", "ready again s", "requests", *OUTCOMES)
    table = Table("An engine's process killed under load: requests that ended after the kill", columns)
    found = Report("faults", "Faults under load", __doc__ or "", [table])
    for scene in scenes:
        for kind in ("chat", "speech"):
            counts = scene.during(kind)
            seconds = (scene.first_error(), scene.unready, scene.ready)
            table.rows.append((scene.victim, *seconds, kind, *(counts[outcome] for outcome in OUTCOMES)))
        silent = sum(scene.during(kind)["silent end"] for kind in ("chat", "speech"))
        found.targets.append(Target(f"{scene.victim} killed: silent ends", "0", str(silent), silent == 0))
        found.targets.append(Target(f"{scene.victim} killed: readyz falls", "<= 5 s", f"{scene.unready:.2f} s", scene.unready <= 5))
        found.targets.append(Target(f"{scene.victim} killed: ready again", "yes", f"{scene.ready:.1f} s", scene.ready < LONGEST))
    found.targets.append(Target(f"{cuts.amount} streams cut: left running", "0", f"{cuts.running:.0f}", cuts.running == 0))
    columns = ("process", "MiB before", "half way", "at the end", "KiB a stream, second half")
    rows: list[Row] = []
    for part, sizes in cuts.memory.items():
        leak = cuts.leak(part)
        rows.append((part, *(f"{size / 2**20:.1f}" for size in sizes), leak))
        if part != CACHE:
            met = leak <= LEAK
            found.targets.append(Target(f"{cuts.amount} streams cut: memory of {part}", f"<= {LEAK} KiB a stream", f"{leak:.1f}", met))
    title = f"{cuts.amount} streams cut at random: quiet {cuts.quiet_after:.2f} s after the last"
    found.tables.append(Table(title, columns, rows))
    return found


if __name__ == "__main__":
    main()
