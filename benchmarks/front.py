"""What BentoML costs a stream: chunks per second of the mock text engine through `bentoml serve` and under uvicorn alone.

Four servers on the same mock profile are up at once, and one at a time is asked, in turn, so that a slow moment of the machine
weighs on all: the engine's own app under uvicorn (the reference), all of Fireside under uvicorn, all of it behind BentoML's default
wrappers, which Fireside goes around, and the service. The client is a process that counts marks in raw sockets; the share of a core that
it used, and that the server used, are in the result. Servers run on one core and the client on another: left alone, Linux wakes the
client on the server's core, and its time would count as each server's.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from contextlib import ExitStack

from benchmarks import recipes
from benchmarks.apart import apart
from benchmarks.counting import count
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure, ratios

CHUNKS = 32_000
"""Per burst, over all its streams."""
CONTEXT = 100_000
CORE = 0
TARGET = 0.6
Samples = dict[tuple[str, int], list[tuple[float, float, float]]]


def main() -> None:
    options = _options()
    profile = recipes.variant("mock", {"text": {"mock": {"max_model_len": CONTEXT}}, "speech": {"engine": "none"}})
    wanted = [recipes.bare(profile, "engine"), recipes.bare(profile, "whole"), recipes.wrapped(profile), recipes.fireside(profile)]
    with ExitStack() as stack:
        servers = [stack.enter_context(running(recipe)) for recipe in wanted]
        for server in servers if _pinned() else []:
            server.pin(CORE)
        samples = _rounds(servers, options.streams, options.rounds)
    report(samples, [server.name for server in servers], options.streams).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often each server is asked (default 7)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64], help="streams at once (default 1 16 64)")
    return parser.parse_args()


def _rounds(servers: list[Server], streams: list[int], rounds: int) -> Samples:
    samples: Samples = defaultdict(list)
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" + (" (warms up)" if number == 0 else ""))
        for amount in streams:
            for server in servers:
                sample = _burst(server, amount)
                if number:
                    samples[server.name, amount].append(sample)
    return samples


def _pinned() -> bool:
    """With one core there is nothing to choose."""
    return len(os.sched_getaffinity(0)) > 1


def _burst(server: Server, streams: int) -> tuple[float, float, float]:
    """Chunks per second, and the cores that client and server kept busy."""
    before = server.cpu()
    counted = apart(count, server.port, "mock-text", streams, CHUNKS // streams, avoid=CORE if _pinned() else None)
    return counted.rate, counted.busy, (server.cpu() - before) / counted.wall


def report(samples: Samples, names: list[str], streams: list[int]) -> Report:
    """The first name is the reference, the last the service."""
    table = Table("Chunks per second", ("streams", "server", "chunks/s", "ratio to the reference", "client's cores", "server's cores"))
    found = Report("front", "Streaming through BentoML and without it", __doc__ or "", [table])
    for amount in streams:
        reference = [rate for rate, _, _ in samples[names[0], amount]]
        for name in names:
            rates, busy, used = zip(*samples[name, amount], strict=True)
            ratio = ratios(rates, reference)
            table.rows.append((amount, name, Figure.of(rates), ratio, Figure.of(busy), Figure.of(used)))
        found.targets.append(Target(f"{names[-1]} / {names[0]}, {amount} streams", f">= {TARGET}", str(ratio), ratio.median >= TARGET))
    return found


if __name__ == "__main__":
    main()
