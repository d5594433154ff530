"""Fireside's speech beside Coqui's own server (`tts-server`), with the same voice, on one text of five sentences.

Each client asks for the whole text and hears it through a simulated player that starts with the first piece. `first audio` is the
arrival of the first byte of audio, `audible` the moment the player comes to the first sample above -40 dB. Both servers are up and
asked in turn. Coqui's server sends its answer in one piece at the end and takes one request at a time.

It needs Flask (`pip install flask`) and the espeak-ng program (`apt-get install espeak-ng`), which Fireside does not. The profile's
voice must be there: `fireside models prepare --profile cpu` first.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

import settings as configuration
from benchmarks import recipes, voice
from benchmarks.apart import apart
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure, quantile, ratios

SOONER = 4.0
LABELS: dict[voice.Route, str] = {"coqui": "Coqui /api/tts", "http": "Fireside /v1/audio/speech", "ws": "Fireside /ws"}
Samples = dict[tuple[voice.Route, int], list[voice.Crowd]]


def main() -> None:
    options = _options()
    profile = options.profile if options.text else recipes.variant(options.profile, {"text": {"engine": "none"}})
    with ExitStack() as stack:
        peer = stack.enter_context(running(recipes.coqui(configuration.load(profile))))
        asked: list[tuple[voice.Route, Server]] = [("coqui", peer)]
        if not options.peer_only:
            ours = stack.enter_context(running(recipes.fireside(profile)))
            asked += [("http", ours), ("ws", ours)]
        samples = _rounds(asked, options.clients, options.rounds)
    report(samples, [route for route, _ in asked], options.clients).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speech", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="whose voice and device (default cpu)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8], help="clients at once (default 1 4 8)")
    parser.add_argument("--text", action="store_true", help="with the text engine loaded beside it")
    parser.add_argument("--peer-only", action="store_true", help="Coqui's own figures alone")
    return parser.parse_args()


def _rounds(asked: list[tuple[voice.Route, Server]], clients: list[int], rounds: int) -> Samples:
    samples: Samples = defaultdict(list)
    for number in range(rounds):
        for amount in clients:
            for route, server in asked:
                crowd = apart(voice.measure, server.port, route, amount, 1)[0]
                samples[route, amount].append(crowd)
                say(
                    f"round {number + 1}: {LABELS[route]}, {amount} clients: first audio {_p50(crowd):.3f} s, {crowd.speed:.1f} x real time"
                )
    return samples


def report(samples: Samples, routes: list[voice.Route], clients: list[int]) -> Report:
    """The first route is the reference."""
    columns = (
        "clients",
        "server",
        "first audio p50 s",
        "p95 s",
        "audible p50 s",
        "sooner",
        "audio s / s",
        "underruns per client",
        "stalled s",
    )
    table = Table("One text of five sentences", columns)
    found = Report("speech", "Speech beside Coqui's own server", __doc__ or "", [table])
    for amount in clients:
        for route in routes:
            crowds, sooner = (
                samples[route, amount],
                ratios(map_list(_p50, samples[routes[0], amount]), map_list(_p50, samples[route, amount])),
            )
            table.rows.append((amount, LABELS[route], *_figures(crowds)[:3], sooner, *_figures(crowds)[3:]))
            if route != routes[0]:
                wanted = f">= {SOONER:g} times"
                found.targets.append(
                    Target(f"{LABELS[route]}: first audio sooner, {amount} clients", wanted, str(sooner), sooner.median >= SOONER)
                )
    return found


def map_list(figure: Callable[[voice.Crowd], float], crowds: list[voice.Crowd]) -> list[float]:
    return [figure(crowd) for crowd in crowds]


def _figures(crowds: list[voice.Crowd]) -> tuple[Figure, ...]:
    def over(read: Callable[[voice.Heard], float], share: float) -> Figure:
        return Figure.of(quantile([read(one) for one in crowd.heard], share) for crowd in crowds)

    def mean(read: Callable[[voice.Heard], float]) -> Figure:
        return Figure.of(sum(read(one) for one in crowd.heard) / len(crowd.heard) for crowd in crowds)

    speed = Figure.of(crowd.speed for crowd in crowds)
    audible = over(lambda one: one.audible, 0.5)
    return over(_first, 0.5), over(_first, 0.95), audible, speed, mean(lambda one: one.underruns), mean(lambda one: one.stalled)


def _first(one: voice.Heard) -> float:
    return one.first


def _p50(crowd: voice.Crowd) -> float:
    return quantile([one.first for one in crowd.heard], 0.5)


if __name__ == "__main__":
    main()
