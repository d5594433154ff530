"""What the front costs a stream: chunks per second of the mock text engine through Fireside, and through less and other code than that.

All servers are up at once, and one at a time is asked, in turn, so that a slow moment of the machine weighs on all: the same bytes, made
once, under uvicorn alone; the engine's own app under uvicorn (what Fireside adds to it is the ratio); all of Fireside under uvicorn; all of
it behind BentoML's default wrappers, which Fireside goes around; the service; `fireside serve` with a key asked for and a line logged for
each request; and vLLM's own server code over an engine that costs nothing. The client is a process that counts marks in raw sockets; the
share of a core that it used, and that the server used, are in the result. Servers run on one core and the client on another: left alone,
Linux wakes the client on the server's core, and its time would count as each server's. Afterwards streams come one at a time while others
run: their first token is waited for.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec

import settings as configuration
from benchmarks import recipes
from benchmarks.apart import apart
from benchmarks.counting import Asked, count, newcomers
from benchmarks.processes import Recipe, Server, ServerFailed, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure, quantile, ratios

CHUNKS = 128_000
"""Per burst, over all its streams."""
CONTEXT = 200_000
CORE = 0
BUSY = 64
"""Streams at which the front is judged, and that run while one more comes."""
BARE, ENGINE, WHOLE, WRAPPED, SERVICE, GUARDED, VLLM = (
    "uvicorn, the same bytes", "uvicorn, engine", "uvicorn, whole", "BentoML's wrappers", "Fireside", "fireside serve", "vLLM's front",
)  # fmt: skip
TARGETS = ((GUARDED, ENGINE, 0.8), (GUARDED, BARE, 0.8), (GUARDED, VLLM, 2.0))
LATER = 1.25
"""How many times bare uvicorn's wait for a first token may take."""


@dataclass(frozen=True, eq=False)
class Peer:
    name: str
    recipe: Recipe
    model: str = "mock-text"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Burst:
    """Chunks per second, and the cores that client and server kept busy."""

    rate: float
    busy: float
    used: float


Bursts = dict[tuple[str, int], list[Burst]]
Firsts = dict[str, list[float]]
"""Seconds to the first token of those that came while others ran: the median of each round."""


def main() -> None:
    options = _options()
    wanted, missing = _peers(options.vllm), []
    if not any(peer.name == VLLM for peer in wanted):
        missing.append(f"{VLLM}: vLLM or the weights of the profile {options.vllm} are not here")
    with ExitStack() as stack:
        servers = {peer: stack.enter_context(running(peer.recipe)) for peer in wanted}
        for server in servers.values() if _pinned() else []:
            server.pin(CORE)
        bursts = _rounds(servers, options)
        firsts = _firsts(servers, options)
    report(bursts, firsts, options.streams, missing).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is asked (default 5)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64, 256], help="streams at once (default 1 16 64 256)")
    parser.add_argument("--chunks", type=int, default=CHUNKS, help=f"of a burst, over all its streams (default {CHUNKS})")
    parser.add_argument("--vllm", default="cpu", help="profile whose text model vLLM's own code serves (default cpu)")
    return parser.parse_args()


def _peers(vllm: str) -> list[Peer]:
    profile = recipes.variant("mock", {"text": {"mock": {"max_model_len": CONTEXT}}, "speech": {"engine": "none"}})
    own = [(BARE, recipes.bare(profile, "sent")), (ENGINE, recipes.bare(profile, "engine")), (WHOLE, recipes.bare(profile, "whole"))]
    own += [(WRAPPED, recipes.wrapped(profile)), (SERVICE, recipes.fireside(profile))]
    peers = [Peer(name, recipe) for name, recipe in own]
    peers.append(Peer(GUARDED, recipes.guarded(profile), key=recipes.KEY))
    return peers + _vllm(vllm)


def _vllm(profile: str) -> list[Peer]:
    """No EngineCore holds its context, so it may be as long as the mock's."""
    long = {"args": {"max_model_len": CONTEXT}, "env": {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}}
    path = recipes.variant(profile, {"text": long, "speech": {"engine": "none"}, "listening": {"engine": "none"}})
    try:
        recipes.require_weights(path)
    except ServerFailed:
        return []
    if not find_spec("vllm"):
        return []
    return [Peer(VLLM, recipes.bare_vllm(path), recipes.text_model(configuration.load(path)))]


def _rounds(servers: dict[Peer, Server], options: argparse.Namespace) -> Bursts:
    bursts: Bursts = defaultdict(list)
    for number in range(options.rounds + 1):
        say(f"round {number} of {options.rounds}" + (" (warms up)" if number == 0 else ""))
        for amount in options.streams:
            for peer, server in servers.items():
                burst = _burst(server, _asked(peer, server, amount, options.chunks))
                if number:
                    bursts[peer.name, amount].append(burst)
    return bursts


def _firsts(servers: dict[Peer, Server], options: argparse.Namespace) -> Firsts:
    firsts: Firsts = defaultdict(list)
    for number in range(options.rounds):
        say(f"first tokens, round {number + 1} of {options.rounds}")
        for peer, server in servers.items():
            waits = apart(newcomers, _asked(peer, server, BUSY, options.chunks))
            firsts[peer.name].append(quantile(waits, 0.5))
    return firsts


def _pinned() -> bool:
    """With one core there is nothing to choose."""
    return len(os.sched_getaffinity(0)) > 1


def _burst(server: Server, asked: Asked) -> Burst:
    before = server.cpu()
    counted = apart(count, asked)
    return Burst(counted.rate, counted.busy, (server.cpu() - before) / counted.wall)


def _asked(peer: Peer, server: Server, streams: int, chunks: int) -> Asked:
    return Asked(server.port, peer.model, streams, chunks // streams, CORE if _pinned() else None, peer.key)


def report(bursts: Bursts, firsts: Firsts, streams: list[int], missing: list[str]) -> Report:
    columns = ("streams", "server", "chunks/s", f"ratio to {ENGINE}", "client's cores", "server's cores")
    table = Table("Chunks per second", columns)
    waits = Table(f"First token of one more while {BUSY} run", ("server", "ms", f"ratio to {BARE}"))
    found = Report("front", "Streaming through Fireside, and through less and other code", __doc__ or "", [table, waits], missing=missing)
    names = list(firsts)
    for amount in streams:
        rates = {name: [burst.rate for burst in bursts[name, amount]] for name in names}
        for name in names:
            cores = [Figure.of(getattr(burst, what) for burst in bursts[name, amount]) for what in ("busy", "used")]
            table.rows.append((amount, name, Figure.of(rates[name]), ratios(rates[name], rates[ENGINE]), *cores))
        if amount == BUSY:
            found.targets += _speeds(rates)
    for name in names:
        waits.rows.append((name, Figure.of(firsts[name]).scaled(1000), ratios(firsts[name], firsts[BARE])))
    late = ratios(firsts[GUARDED], firsts[ENGINE])
    found.targets.append(Target(f"first token: {GUARDED} / {ENGINE}", f"<= {LATER}", str(late), late.median <= LATER))
    return found


def _speeds(rates: dict[str, list[float]]) -> list[Target]:
    found = []
    for ours, theirs, wanted in TARGETS:
        if theirs in rates:
            ratio = ratios(rates[ours], rates[theirs])
            found.append(Target(f"{ours} / {theirs}, {BUSY} streams", f">= {wanted}", str(ratio), ratio.median >= wanted))
    return found


if __name__ == "__main__":
    main()
