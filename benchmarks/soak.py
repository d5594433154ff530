"""Half an hour of all that Fireside serves at once, with clients that leave, err and read slowly, and workers that are killed.

Clients ask for one thing after another: chat streamed and whole, /generate, speech, transcriptions, /ws, the speech stream and spoken
conversations. One in ten leaves in the middle, one in twenty sends what is wrong, one in fifty reads slowly; every two minutes one of the
engines' processes gets SIGKILL, each in its turn. What an answer must be is known from the same request before: text word for word (of a
language model also as it comes in batches of 2 to 4, where two tokens may be equally likely), audio sample for sample. Every request that
was not cut must be that, or be refused in words that say come back later; the server's count of requests must be the clients'. Then all is
quiet, and memory, file descriptors, threads, tasks and files must be what they were after some minutes of the same, amid which each worker
died once: what is left of a death must not be left by each. But for what fills up to its size: the KV cache that vLLM's worker holds
without a GPU, and what oneDNN prepares for each shape of speech. Of one kind of request there are some fifty in five minutes, whose p99 is
the slowest: it is told, but what must not change is the p99 of all, each taken as so many times the median of its kind.

On the mock profile the text engine has no process of its own, and is not killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import uvloop

import settings as configuration
from benchmarks import recipes
from benchmarks.endings import PROMPTS, Ended, Site, counts, manner, unclear
from benchmarks.faults import CACHE, LEAK, MARKS, memory_of, quiet, when
from benchmarks.processes import Server, ServerFailed, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import quantile
from benchmarks.traffic import Kind

VICTIMS = ("speech", "listening", "text")
PAUSE = 0.25
"""Seconds that a client waits that was told to come back later."""
CLIENTS = {"mock": 16, "cpu": 4}
THINKING = {"mock": 0.2, "cpu": 1.0}
"""Seconds between two requests of a client, on average."""
STABLE = 1.5
"""How many times the first minutes' p99 the last minutes' may be."""
LEAST = 100
"""Requests in a window, below which their p99 says nothing."""
KERNELS = {"speech": 100}
"""MiB. Of each shape of its work oneDNN keeps what it has prepared, up to 1,024 of them, and one life of a worker meets more than another.
That a sentence leaves nothing else is tested by itself (tests/engines/test_coqui_memory.py)."""
REST = 12.0
"""Seconds without work until all that a worker gives back is given back."""


@dataclass(frozen=True, slots=True)
class Level:
    """What the server holds when nothing is going on."""

    memory: dict[str, int]
    fds: int
    threads: int
    tasks: int
    files: int
    busy: float
    counted: Counter[tuple[str, str]]
    """Requests by route and outcome."""

    @classmethod
    async def of(cls, server: Server) -> Level:
        busy = await quiet(server)
        await asyncio.sleep(REST)
        numbers = [_numbers(process) for process in server.tree()]
        fds, threads = (sum(column) for column in zip(*numbers, strict=True))
        return cls(memory_of(server), fds, threads, int(server.metric("fireside_tasks")), server.files(), busy, counted(server))


@dataclass
class Soak:
    minutes: float
    began: float = 0.0
    ends: list[Ended] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    held: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """Bytes of memory each minute, amid the traffic."""

    def between(self, begin: float, end: float) -> list[Ended]:
        """In minutes since its beginning, by when they began."""
        return [one for one in self.ends if begin <= (one.began - self.began) / 60 < end]


def main() -> None:
    options = _options()
    settings = configuration.load(options.profile)
    killed = [name for name in VICTIMS if name != "text" or settings.text.engine == "vllm"]
    with running(recipes.fireside(options.profile)) as server:
        found = uvloop.run(_all(server, settings, options, killed))
    report(Path(options.profile).stem, *found, options.window).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="mock", help="what to serve (default mock)")
    parser.add_argument("--minutes", type=float, default=30, help="of traffic (default 30)")
    parser.add_argument("--warm-up", type=float, default=5, help="minutes of traffic before, that do not count (default 5)")
    parser.add_argument("--kill-every", type=float, default=2, help="minutes between two kills (default 2)")
    parser.add_argument("--window", type=float, default=5, help="first and last minutes that are compared (default 5)")
    parser.add_argument("--clients", type=int, help="at once (default 16 on mocks, 4 on the cpu profile)")
    return parser.parse_args()


async def _all(
    server: Server, settings: configuration.Settings, options: argparse.Namespace, victims: list[str]
) -> tuple[Soak, Level, Level]:
    profile = "mock" if settings.text.engine == "mock" else "cpu"
    clients, pause = options.clients or CLIENTS[profile], THINKING[profile]
    say("asking for everything once")
    site = await Site.explored(server.port, recipes.text_model(settings), mock=profile == "mock")
    deaths = asyncio.create_task(_each_once(server, victims))
    await traffic(server, site, Soak(options.warm_up), clients, pause)
    await deaths
    before = await Level.of(server)
    soak = Soak(options.minutes)
    killer = asyncio.create_task(_kill_all(server, soak, victims, options.kill_every * 60))
    await traffic(server, site, soak, clients, pause)
    killer.cancel()
    await asyncio.gather(killer, return_exceptions=True)
    await _until_ready(server)
    return soak, before, await Level.of(server)


async def traffic(server: Server, site: Site, soak: Soak, clients: int, pause: float) -> None:
    soak.began = perf_counter()
    say(f"{soak.minutes:g} minutes of traffic")
    watch = asyncio.create_task(_tell(server, soak))
    await asyncio.gather(*(_client(site, soak, number, pause) for number in range(clients)))
    watch.cancel()


async def _client(site: Site, soak: Soak, number: int, pause: float) -> None:
    """Each begins with another kind, so that all kinds come about equally often."""
    until = soak.began + soak.minutes * 60
    while perf_counter() < until:
        kind = site.kinds[number % len(site.kinds)]
        one = await site.ask(kind, manner(), random.randrange(PROMPTS))
        soak.ends.append(one)
        number += 1
        await asyncio.sleep(PAUSE if one.outcome in {"refused", "told"} else random.expovariate(1 / pause))


async def _tell(server: Server, soak: Soak) -> None:
    while True:
        await asyncio.sleep(60)
        soak.held.append(((perf_counter() - soak.began) / 60, await asyncio.to_thread(memory_of, server)))
        say(f"minute {(perf_counter() - soak.began) / 60:.0f}: {len(soak.ends)} requests, {sum(map(unclear, _uncut(soak.ends)))} unclear")


async def _kill_all(server: Server, soak: Soak, victims: list[str], seconds: float) -> None:
    for number in range(int(soak.minutes * 60 / seconds)):
        await asyncio.sleep(soak.began + (number + 1) * seconds - perf_counter())
        victim = victims[number % len(victims)]
        say(f"killing the {victim} engine's process")
        with suppress(ServerFailed):  # it is being loaded again
            server.find(*MARKS[victim]).kill()
            soak.killed[victim] += 1


async def _each_once(server: Server, victims: list[str]) -> None:
    """What a first load after a death imports, and the room that it takes beside all that is going on, is kept for the next: no leak."""
    for victim in victims:
        say(f"a first death of the {victim} engine's process")
        server.find(*MARKS[victim]).kill()
        killed = perf_counter()
        await when(server, 503, killed)
        await when(server, 200, killed)


async def _until_ready(server: Server) -> None:
    async with asyncio.timeout(180):
        while await asyncio.to_thread(server.status, "/readyz") != 200:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)


def counted(server: Server) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    pattern = re.compile(r'^fireside_requests_total\{outcome="([^"]*)",route="([^"]*)"\} (\S+)', re.MULTILINE)
    for outcome, route, count in pattern.findall(server.text("/metrics")):
        found[route, outcome] = int(float(count))
    return found


def _numbers(process: object) -> tuple[int, int]:
    """File descriptors and threads."""
    return process.num_fds(), process.num_threads()  # type: ignore[attr-defined]


def _uncut(ends: Iterable[Ended]) -> list[Ended]:
    return [one for one in ends if one.manner != "cut"]


def report(profile: str, soak: Soak, before: Level, after: Level, window: float) -> Report:
    title = f"{soak.minutes:g} minutes of mixed traffic, {soak.killed.total()} workers killed"
    found = Report("soak", title, __doc__ or "", profile=profile)
    found.tables = [_ended(soak), _books(soak, before, after), _levels(soak, before, after), _speeds(soak, window), _growth(soak, window)]
    pooled = _pooled(soak, window)
    found.tables.insert(3, pooled)
    wrong = Counter(f"{one.kind.name}: {one.outcome} {one.code}" for one in _uncut(soak.ends) if unclear(one))
    bad = [row for row in found.tables[1].rows if row[-1] != "yes"]
    slower = [row for row in pooled.rows if not isinstance(row[-1], float) or row[-1] > STABLE]
    told = "; ".join(f"{count} {what}" for what, count in wrong.most_common(8)) or "none"
    kills = ", ".join(f"{name} {count}" for name, count in soak.killed.items())
    found.targets = [
        Target(f"of {len(soak.ends)} requests, neither right nor refused clearly", "none", told, not wrong),
        Target("routes whose books do not fit", "none", ", ".join(str(row[0]) for row in bad) or "none", not bad),
        Target("workers killed", "some", kills or "none", bool(kills)),
        Target("running and waiting at the end", "0", f"{after.busy:.0f}", after.busy == 0),
        Target("file descriptors", f"<= {before.fds} + 8", str(after.fds), after.fds <= before.fds + 8),
        Target("threads", f"<= {before.threads} + 8", str(after.threads), after.threads <= before.threads + 8),
        Target("asyncio tasks", f"<= {before.tasks} + 4", str(after.tasks), after.tasks <= before.tasks + 4),
        Target("temporary and shared files", f"<= {before.files}", str(after.files), after.files <= before.files),
        *(_kept(name, soak, before, after, {} if profile == "mock" else KERNELS) for name in before.memory if name != CACHE),
        Target(f"p99 of the last {window:g} minutes / the first", f"<= {STABLE}", _worst(pooled), not slower),
    ]
    return found


def _ended(soak: Soak) -> Table:
    table = Table("How they ended", ("kind", "manner", "requests", "how"))
    groups: dict[tuple[str, str], list[Ended]] = defaultdict(list)
    for one in soak.ends:
        groups[one.kind.name, one.manner].append(one)
    for (kind, how), ends in sorted(groups.items()):
        told = ", ".join(f"{count} {what}" for what, count in counts(ends).most_common())
        table.rows.append((kind, how, len(ends), told))
    return table


def _books(soak: Soak, before: Level, after: Level) -> Table:
    """A client that left may have done so before its request was one, and the server may have been done with it."""
    columns = ("route", "asked", "left", "right", "the server's count", "its ok", "they fit")
    table = Table("The clients' count and the server's", columns)
    for route in dict.fromkeys(one.kind.route for one in soak.ends):
        ends = [one for one in soak.ends if one.kind.route == route]
        left = sum(one.outcome == "left" for one in ends)
        right = sum(one.outcome == "right" and one.manner != "malformed" for one in ends)
        new = {outcome: count - before.counted[at, outcome] for (at, outcome), count in after.counted.items() if at == route}
        total, ok = sum(new.values()), new.get("ok", 0)
        fits = len(ends) - left <= total <= len(ends) and right <= ok <= right + left
        table.rows.append((route, len(ends), left, right, total, ok, "yes" if fits else "**no**"))
    return table


def _levels(soak: Soak, before: Level, after: Level) -> Table:
    table = Table("What the idle server holds", ("what", "before", "after"))
    for name, size in before.memory.items():
        table.rows.append((f"MiB of {name}", f"{size / 2**20:.1f}", f"{after.memory.get(name, 0) / 2**20:.1f}"))
    for what in ("fds", "threads", "tasks", "files"):
        table.rows.append((what, getattr(before, what), getattr(after, what)))
    return table


def _kept(name: str, soak: Soak, before: Level, after: Level, fill: dict[str, int]) -> Target:
    """`fill`: MiB that a part may hold beside, of what fills up to its size."""
    grown, kernels = (after.memory.get(name, 0) - before.memory[name]) / 1024, fill.get(name, 0)
    beside = f", beside {kernels} MiB of oneDNN's" if kernels else ""
    leak = grown / max(len(soak.ends), 1)
    return Target(f"memory of {name}", f"<= {LEAK} KiB a request{beside}", f"{leak:.2f}", grown <= LEAK * len(soak.ends) + kernels * 1024)


def _growth(soak: Soak, window: float) -> Table:
    """The median of each part in each window: a leak rises through all of them."""
    starts = _starts(soak, window)
    table = Table("MiB held amid the traffic", ("of", *_spans(starts, window)))
    for name in dict.fromkeys(name for _, parts in soak.held for name in parts):
        sizes = [[parts[name] / 2**20 for minute, parts in soak.held if name in parts and at <= minute < at + window] for at in starts]
        table.rows.append((name, *(f"{median(some):.1f}" if some else "" for some in sizes)))
    return table


def _starts(soak: Soak, window: float) -> list[float]:
    return [window * number for number in range(max(int(soak.minutes / window), 2) - 1)] + [soak.minutes - window]


def _spans(starts: list[float], window: float) -> list[str]:
    return [f"{start:g}-{start + window:g} min" for start in starts]


LOOKS: tuple[tuple[str, Callable[[Ended], float]], ...] = (("first piece", lambda one: one.wait), ("whole", lambda one: one.total))
"""A kind's first piece is its first token or its first audio."""


def _pooled(soak: Soak, window: float) -> Table:
    starts = _starts(soak, window)
    columns = ("what", "requests", *_spans(starts, window), "median: last / first", "p99: last / first")
    table = Table(f"p99 of all that was answered rightly, in medians of its kind, by {window:g} minutes", columns)
    for what, look in LOOKS:
        usual = {kind: median(look(one) for one in soak.ends if _good(one, kind)) for kind in _kinds(soak)}
        times = [[look(one) / usual[one.kind] for one in soak.between(at, at + window) if _good(one, one.kind)] for at in starts]
        enough = min(len(times[0]), len(times[-1])) >= LEAST
        ratios = (_change(times, 0.5), _change(times, 0.99)) if enough else ("too few", "too few")
        p99s = [quantile(part, 0.99) if part else "none" for part in times]
        table.rows.append((what, f"{len(times[0])}, {len(times[-1])}", *p99s, *ratios))
    return table


def _speeds(soak: Soak, window: float) -> Table:
    """Of what was answered rightly."""
    starts = _starts(soak, window)
    columns = ("kind", "what", "requests", *_spans(starts, window), "median: last / first", "p99: last / first")
    table = Table(f"p99 in ms, by {window:g} minutes", columns)
    parts = [soak.between(start, start + window) for start in starts]
    for kind in _kinds(soak):
        good = [[one for one in part if _good(one, kind)] for part in parts]
        for what, look in LOOKS:
            if all(good):
                times = [[look(one) for one in part] for part in good]
                p99s = [quantile(part, 0.99) for part in times]
                asked = f"{len(times[0])}, {len(times[-1])}"
                table.rows.append((kind.name, what, asked, *(p99 * 1000 for p99 in p99s), _change(times, 0.5), _change(times, 0.99)))
    return table


def _kinds(soak: Soak) -> list[Kind]:
    """Of which something was answered rightly."""
    return list(dict.fromkeys(one.kind for one in soak.ends if _good(one, one.kind)))


def _change(times: list[list[float]], share: float) -> float:
    return quantile(times[-1], share) / quantile(times[0], share)


def _good(one: Ended, kind: Kind) -> bool:
    return one.kind == kind and one.manner == "good" and one.outcome == "right"


def _worst(table: Table) -> str:
    ratios = [(row[-1], row[0]) for row in table.rows if isinstance(row[-1], float)]
    return "{:.2f} ({})".format(*max(ratios)) if ratios else "too few requests"


if __name__ == "__main__":
    main()
