"""SIGTERM under load: every request that was accepted must come to its end or be told why not, and new ones be refused.

Clients ask for all that Fireside serves, one thing after another; in the middle the server gets SIGTERM, as from an orchestrator. Whoever
asked before must get the whole right answer, or the server's word that it ends (an error, an error event, a socket's farewell); whoever
asks after must be refused, with a connection refused or words. What breaks off without a word is lost. A request that was on its way in the
moment of the signal, and of which the server has sent nothing, is counted by itself: nobody accepted it. Timed is the end of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import psutil  # type: ignore[import-untyped]
import uvloop

import settings as configuration
from benchmarks import recipes
from benchmarks.endings import CLEAR, PROMPTS, Ended, Site, counts
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.soak import CLIENTS
from benchmarks.stats import Figure
from benchmarks.traffic import CUT_OFF

MOMENT = 0.1
"""Seconds before the signal in which a request may still be on its way."""
PACED = {"text": {"mock": {"tokens_per_second": 20}}, "speech": {"mock": {"realtime_factor": 0.05}}}
"""So that the mock has something in flight."""
STOPPED = CLEAR - {CUT_OFF} | {"closed with 1001"}
REFUSED = frozenset({"ConnectionRefusedError", "ConnectionResetError"})


@dataclass
class Drain:
    """One end, in seconds: of the process from the signal on, and of the last client."""

    signalled: float = 0.0
    exited: float = 0.0
    code: int | None = None
    orphans: int = 0
    ends: list[Ended] = field(default_factory=list)

    def before(self) -> list[Ended]:
        """Begun before the signal, and not over by then."""
        return [one for one in self.ends if one.began < self.signalled <= one.ended]

    def after(self) -> list[Ended]:
        return [one for one in self.ends if one.began >= self.signalled]

    def lost(self) -> list[Ended]:
        return [one for one in self.before() if not _settled(one) and not self.on_its_way(one)]

    def on_its_way(self, one: Ended) -> bool:
        return one.outcome == "broken" and not one.accepted and self.signalled - one.began < MOMENT

    def let_in(self) -> list[Ended]:
        """Begun after the signal, and neither served rightly nor refused."""
        return [one for one in self.after() if not (_settled(one) or one.code in REFUSED)]


def _settled(one: Ended) -> bool:
    return one.outcome == "right" or (one.outcome in {"refused", "told"} and one.code in STOPPED)


def main() -> None:
    options = _options()
    mock = configuration.load(options.profile).text.engine == "mock"
    profile = recipes.variant(options.profile, PACED if mock else {})
    clients = options.clients or 2 * CLIENTS["mock" if mock else "cpu"]
    drains = []
    for number in range(options.repetitions):
        say(f"end {number + 1} of {options.repetitions}")
        with running(recipes.fireside(profile)) as server:
            drains.append(uvloop.run(_drained(server, configuration.load(profile), clients, options.seconds)))
    report(Path(options.profile).stem, drains, configuration.load(profile).server.drain_timeout).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drain", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="mock", help="what to serve (default mock)")
    parser.add_argument("--repetitions", type=int, default=5, help="how often (default 5)")
    parser.add_argument("--seconds", type=float, default=10, help="of load before the signal (default 10)")
    parser.add_argument("--clients", type=int, help="at once (default 32 on mocks, 8 on the cpu profile)")
    return parser.parse_args()


async def _drained(server: Server, settings: configuration.Settings, clients: int, seconds: float) -> Drain:
    site = await Site.explored(server.port, recipes.text_model(settings), mock=settings.text.engine == "mock")
    drain, stop = Drain(), asyncio.Event()
    asking = asyncio.gather(*(_client(site, drain, stop, number) for number in range(clients)))
    await asyncio.sleep(seconds)
    tree = server.tree()
    drain.signalled = perf_counter()
    server.process.terminate()
    drain.code = await asyncio.to_thread(server.process.wait, 120)
    drain.exited = perf_counter()
    _, alive = await asyncio.to_thread(psutil.wait_procs, tree, 5)
    drain.orphans = len(alive)
    stop.set()
    await asking
    return drain


async def _client(site: Site, drain: Drain, stop: asyncio.Event, number: int) -> None:
    while not stop.is_set():
        one = await site.ask(site.kinds[number % len(site.kinds)], "good", random.randrange(PROMPTS))
        drain.ends.append(one)
        number += 1
        if one.outcome != "right":
            await asyncio.sleep(0.1)  # as a client does that was refused


def report(profile: str, drains: list[Drain], limit: float) -> Report:
    columns = ("end", "exit s", "code", "processes left", "completed before", "in flight", "how they ended", "on their way", "came after")
    table = Table("Ends", columns)
    table.rows = [_row(number, drain) for number, drain in enumerate(drains, 1)]
    found = Report("drain", f"SIGTERM under load, {len(drains)} times", __doc__ or "", [table], profile=profile)
    lost, let_in = ([one for drain in drains for one in part(drain)] for part in (Drain.lost, Drain.let_in))
    inside = sum(len(drain.before()) for drain in drains)
    seconds = Figure.of(drain.exited - drain.signalled for drain in drains)
    orphans = sum(drain.orphans for drain in drains)
    codes = Counter(drain.code for drain in drains)
    found.targets = [
        Target(f"of {inside} accepted requests, lost", "0", _named(lost), not lost),
        Target("asked after the signal, neither served rightly nor refused", "0", _named(let_in), not let_in),
        Target("seconds to exit", f"<= {limit + 10:g}", str(seconds), seconds.high <= limit + 10),
        Target("exit codes", "0", ", ".join(map(str, codes)), set(codes) == {0}),
        Target("processes left", "0", str(orphans), orphans == 0),
    ]
    return found


def _row(number: int, drain: Drain) -> tuple[object, ...]:
    done = sum(one.ended < drain.signalled for one in drain.ends)
    way = sum(drain.on_its_way(one) for one in drain.before())
    told = (drain.exited - drain.signalled, str(drain.code), drain.orphans, done, len(drain.before()), _listed(drain.before()))
    return number, *told, way, _listed(drain.after())


def _listed(ends: Iterable[Ended]) -> str:
    return ", ".join(f"{count} {how}" for how, count in counts(ends).most_common()) or "none"


def _named(ends: list[Ended]) -> str:
    named = Counter(f"{one.kind.name}: {one.outcome} {one.code}" for one in ends)
    return "; ".join(f"{count} {how}" for how, count in named.items()) or "0"


if __name__ == "__main__":
    main()
