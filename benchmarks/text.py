"""Fireside's text beside vLLM's own server: the same model folder, arguments and environment, one HTTP client in its own process.

Bursts of streams with fixed prompts (never the same twice), a fixed number of tokens, temperature 0, and an ignored end of text. By
default both servers are up and asked in turn, burst by burst, so that what slows the machine weighs on both; an idle vLLM takes no
processor time. Each round starts both anew: on a CPU one and the same prefill takes up to an eighth longer in one EngineCore than in the
next, whoever started it, and keeps to that for the life of the process. With --one-at-a-time they are started and stopped one after the
other, for machines without memory for two.

The profile's weights must be there: `fireside models prepare --profile cpu` first.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import ExitStack

import settings as configuration
from benchmarks import chat, recipes
from benchmarks.apart import apart
from benchmarks.processes import Recipe, Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure, quantile, ratios

RATE, TTFT = 0.95, 1.1
Samples = dict[tuple[str, int], list[list[chat.Burst]]]
"""By server and streams: for each round its bursts."""


def main() -> None:
    options = _options()
    profile = options.profile if options.speech else recipes.variant(options.profile, {"speech": {"engine": "none"}})
    settings = configuration.load(profile)
    servers = [recipes.vllm(settings)] if options.peer_only else [recipes.vllm(settings), recipes.fireside(profile)]
    model = recipes.text_model(settings)
    samples: Samples = defaultdict(list)
    (_one_at_a_time if options.one_at_a_time else _together)(servers, model, options, samples)
    report(samples, [recipe.name for recipe in servers], options.streams).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.text", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="whose model, arguments and environment (default cpu)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--bursts", type=int, default=2, help="bursts of each server in a round (default 2)")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each stream (default 64)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16], help="streams at once (default 1 4 16)")
    parser.add_argument("--speech", action="store_true", help="with the speech engine loaded beside it")
    parser.add_argument("--one-at-a-time", action="store_true", help="never both servers at once")
    parser.add_argument("--peer-only", action="store_true", help="vLLM's own figures alone")
    return parser.parse_args()


def _together(servers: list[Recipe], model: str, options: argparse.Namespace, samples: Samples) -> None:
    for number in range(options.rounds):
        with ExitStack() as stack:
            # Who comes first changes: what the first leaves behind must not always fall on the same one.
            order = servers if number % 2 == 0 else servers[::-1]
            _round([stack.enter_context(running(recipe)) for recipe in order], model, options, samples, number)


def _one_at_a_time(servers: list[Recipe], model: str, options: argparse.Namespace, samples: Samples) -> None:
    for number in range(options.rounds):
        for recipe in servers:
            with running(recipe) as server:
                _round([server], model, options, samples, number)


def _round(servers: list[Server], model: str, options: argparse.Namespace, samples: Samples, number: int) -> None:
    for streams in options.streams:
        for server in servers:
            bursts = apart(chat.measure, server.port, model, streams, options.tokens, options.bursts, seed=number * 10_000)
            samples[server.name, streams].append(bursts)
            say(f"round {number + 1}: {server.name}, {streams} streams: {_rate(bursts):.0f} tokens/s, TTFT {_ttft(bursts) * 1000:.0f} ms")


def report(samples: Samples, names: list[str], streams: list[int]) -> Report:
    """The first name is the reference, the last is us."""
    columns = ("streams", "server", "tokens/s", "ratio", "TTFT p50 ms", "ratio", "TTFT p95 ms", "ITL p50 ms", "ITL p95 ms")
    table = Table("Streams of /v1/chat/completions", columns)
    found = Report("text", "Text beside vLLM's own server", __doc__ or "", [table])
    for amount in streams:
        reference = samples[names[0], amount]
        for name in names:
            rounds = samples[name, amount]
            rate = ratios([_rate(bursts) for bursts in rounds], [_rate(bursts) for bursts in reference])
            first = ratios([_ttft(bursts) for bursts in rounds], [_ttft(bursts) for bursts in reference])
            table.rows.append((amount, name, Figure.of(map(_rate, rounds)), rate, _ms(rounds, _ttft), first, *_spread(rounds)))
        if len(names) > 1:
            found.targets.append(Target(f"tokens/s, {amount} streams", f">= {RATE}", str(rate), rate.median >= RATE))
            found.targets.append(Target(f"TTFT, {amount} streams", f"<= {TTFT}", str(first), first.median <= TTFT))
    return found


def _spread(rounds: list[list[chat.Burst]]) -> tuple[Figure, ...]:
    def late(bursts: list[chat.Burst]) -> float:
        return quantile([ttft for burst in bursts for ttft in burst.ttfts], 0.95)

    def gap(share: float) -> Figure:
        return _ms(rounds, lambda bursts: quantile([gap for burst in bursts for gap in burst.gaps], share))

    return _ms(rounds, late), gap(0.5), gap(0.95)


def _ms(rounds: list[list[chat.Burst]], figure: object) -> Figure:
    return Figure.of(figure(bursts) * 1000 for bursts in rounds)  # type: ignore[operator]


def _rate(bursts: list[chat.Burst]) -> float:
    return sum(burst.tokens for burst in bursts) / sum(burst.wall for burst in bursts)


def _ttft(bursts: list[chat.Burst]) -> float:
    return quantile([ttft for burst in bursts for ttft in burst.ttfts], 0.5)


if __name__ == "__main__":
    main()
