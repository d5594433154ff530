"""Ten times what the server can do: how much is still done in time, how soon the rest is refused, and whether health answers meanwhile.

Capacity is found first: more and more clients ask for one answer after another, and the most answers a second that came in time are the
peak. Then requests come at ten times that rate, whether the ones before are answered or not, while another process asks for /livez,
/readyz, /v1/models and /metrics. In time is what the server's own queue allows: an answer, and those of all who may stand before it, with
half of that to spare. Clients and probes are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

import settings as configuration
from benchmarks import chat, recipes
from benchmarks.apart import SPAWN, apart
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import quantile
from benchmarks.wire import Truncated, request

PROBES = ("/livez", "/readyz", "/v1/models", "/metrics")
TIMES = 10
CORE = 0
"""The mock's server keeps to it, so that clients do not take from it what they measure."""
TOKENS = {"mock": 20, "cpu": 32}
# A mock that has a pace takes the same time for any number of requests: what it can do is max_running / (TOKENS / tokens_per_second).
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "mock": {
        "text": {"max_running": 8, "max_waiting": 8, "mock": {"tokens_per_second": 40}},
        "speech": {"engine": "none"},
        "listening": {"engine": "none"},
    },
    "cpu": {"text": {"max_running": 8, "max_waiting": 8}, "speech": {"engine": "none"}, "listening": {"engine": "none"}},
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What clients ask: `clients` of them one thing after another or, with a rate, so many requests a second, for `seconds`."""

    port: int
    model: str
    tokens: int
    seconds: float
    clients: int = 0
    rate: float = 0.0


@dataclass
class Taken:
    """What came of it, in seconds: `done` is what each completed answer took, `refused` what each clear refusal took."""

    wall: float = 0.0
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)
    late: float = 0.0
    """The most by which the client itself was behind its schedule."""

    def goodput(self, limit: float) -> float:
        """Answers a second that came in time."""
        return sum(took <= limit for took in self.done) / self.wall

    @property
    def asked(self) -> int:
        return len(self.done) + len(self.refused) + self.other.total()


def main() -> None:
    options = _options()
    kind = "mock" if configuration.load(options.profile).text.engine == "mock" else "cpu"
    profile = recipes.variant(options.profile, CHANGES[kind])
    settings = configuration.load(profile)
    most = settings.text.most_running
    with running(recipes.fireside(profile)) as server:
        if kind == "mock" and len(os.sched_getaffinity(0)) > 1:
            server.pin(CORE)
        offer = Offer(server.port, recipes.text_model(settings), TOKENS[kind], options.seconds)
        steps = {clients: _closed(offer, clients) for clients in _steps(most)}
        limit = _limit(steps[most], settings.text.max_waiting / most)
        peak = max(taken.goodput(limit) for taken in steps.values())
        flood, probes = _flooded(server, offer, peak * TIMES)
    report(Path(options.profile).stem, steps, limit, flood, peak * TIMES, probes).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="mock", help="what to serve (default mock)")
    parser.add_argument("--seconds", type=float, default=30, help="of each step, and twice as many of the overload (default 30)")
    return parser.parse_args()


def _steps(most: int) -> list[int]:
    """1, 2, 4, ... to what may run, and up to where all places to wait are taken."""
    return [*(clients for clients in (1, 2, 4, 8, 16, 32, 64, 128) if clients < most), most, most + most // 2, 2 * most]


def _limit(full: Taken, waiting: float) -> float:
    """Seconds: what an answer takes when the engine is full, and again for all that may stand before it; half of that to spare."""
    if not full.done:
        raise ValueError(f"expected answers with as many clients as may run, got {len(full.refused)} refusals and {dict(full.other)}")
    return 1.5 * quantile(full.done, 0.5) * (1 + waiting)


def _closed(offer: Offer, clients: int) -> Taken:
    say(f"{clients} clients")
    return apart(ask_all, Offer(offer.port, offer.model, offer.tokens, offer.seconds, clients=clients))


def _flooded(server: Server, offer: Offer, rate: float) -> tuple[Taken, dict[str, list[float]]]:
    say(f"{rate:.0f} requests a second")
    wanted = Offer(offer.port, offer.model, offer.tokens, 2 * offer.seconds, rate=rate)
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        probes = pool.submit(probe_all, server.port, wanted.seconds)
        return pool.submit(ask_all, wanted).result(), probes.result()


def ask_all(offer: Offer) -> Taken:
    return uvloop.run(_paced(offer) if offer.rate else _in_turn(offer))


async def _in_turn(offer: Offer) -> Taken:
    taken, began = Taken(), perf_counter()

    async def client(number: int) -> None:
        while perf_counter() - began < offer.seconds:
            await _one(offer, taken, number)
            number += offer.clients

    await asyncio.gather(*(client(number) for number in range(offer.clients)))
    taken.wall = perf_counter() - began
    return taken


async def _paced(offer: Offer) -> Taken:
    """On the clock. The answers that come after the last request count too, and so does their time."""
    taken, began, asked = Taken(), perf_counter(), []
    for number in range(int(offer.rate * offer.seconds)):
        due = began + number / offer.rate
        if (ahead := due - perf_counter()) > 0:
            await asyncio.sleep(ahead)
        taken.late = max(taken.late, perf_counter() - due)
        asked.append(asyncio.create_task(_one(offer, taken, number)))
    await asyncio.gather(*asked)
    taken.wall = perf_counter() - began
    return taken


async def _one(offer: Offer, taken: Taken, number: int) -> None:
    answer = await chat.chat(offer.port, offer.model, chat.prompt(number), offer.tokens)
    took = answer.ended - answer.began
    if answer.outcome == "completed":
        taken.done.append(took)
    elif answer.status in {429, 503}:
        taken.refused.append(took)
    else:
        taken.other[f"{answer.outcome} {answer.status}"] += 1


def probe_all(port: int, seconds: float) -> dict[str, list[float]]:
    """How long each took, in seconds; infinite for what was not answered with 200."""
    return uvloop.run(_probed(port, seconds))


async def _probed(port: int, seconds: float) -> dict[str, list[float]]:
    began = perf_counter()
    found: dict[str, list[float]] = {path: [] for path in PROBES}
    while perf_counter() - began < seconds:
        for path, took in found.items():
            took.append(await _probe(port, path))
        await asyncio.sleep(0.05)
    return found


async def _probe(port: int, path: str) -> float:
    began = perf_counter()
    try:
        async with request(port, "GET", path) as reply:
            await reply.body()
            return perf_counter() - began if reply.status == 200 else float("inf")
    except (Truncated, OSError):
        return float("inf")


def report(profile: str, steps: Mapping[int, Taken], limit: float, flood: Taken, rate: float, probes: Mapping[str, list[float]]) -> Report:
    columns = ("offered", "asked", "answered", "in time /s", "p50 s", "p99 s", "refused", "p99 of refusals ms", "other")
    table = Table(f"Answers within {limit:.2f} s", columns)
    table.rows = [(f"{clients} clients", *_row(taken, limit)) for clients, taken in steps.items()]
    table.rows.append((f"{rate:.0f} requests/s", *_row(flood, limit)))
    health = Table("Health meanwhile", ("path", "asked", "p50 ms", "p99 ms", "most ms"))
    health.rows = [(path, len(took), *(quantile(took, share) * 1000 for share in (0.5, 0.99, 1))) for path, took in probes.items()]
    found = Report("overload", f"{TIMES} times what the server can do", __doc__ or "", [table, health], profile=profile)
    share = flood.goodput(limit) / max(taken.goodput(limit) for taken in steps.values())
    refusals = quantile(flood.refused, 0.99) * 1000 if flood.refused else float("inf")
    found.targets = [
        Target("goodput / its peak", ">= 0.9", f"{share:.2f}", share >= 0.9),
        Target("p99 of refusals", "<= 50 ms", f"{refusals:.1f} ms", refusals <= 50),
        Target("neither answered nor refused", "none", str(dict(flood.other) or "none"), not flood.other),
        *(Target(f"p99 of {path}", "<= 100 ms", f"{p99:.1f} ms", p99 <= 100) for path, _, _, p99, _ in health.rows),
        Target("the client kept its pace", "<= 0.1 s late", f"{flood.late:.2f} s", flood.late <= 0.1),
    ]
    return found


def _row(taken: Taken, limit: float) -> tuple[Any, ...]:
    took = [quantile(taken.done, share) for share in (0.5, 0.99)] if taken.done else ["-", "-"]
    refused = quantile(taken.refused, 0.99) * 1000 if taken.refused else "-"
    other = ", ".join(f"{count} {how}" for how, count in taken.other.items()) or "none"
    return taken.asked, len(taken.done), taken.goodput(limit), *took, len(taken.refused), refused, other


if __name__ == "__main__":
    main()
