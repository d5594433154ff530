"""Fireside's speech beside Coqui's own server (`tts-server`), with the same voice, on one text of five sentences and on one long sentence.

Each client asks for the whole text and hears it through a simulated player that starts with the first piece. `first audio` is the
arrival of the first byte of audio, `audible` the moment the player comes to the first sample above -40 dB. Both servers are up and
asked in turn. Coqui's server sends its answer in one piece at the end, takes one request at a time, and puts 0.45 s of silence behind
every sentence, which counts as audio made. `0.2 s` is when the first 0.2 s of audio had arrived.

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

SOONER = 12.0
FASTER = 1.1
"""Audio seconds per second, as a ratio to Coqui's, at the most clients."""
DRY = 4
"""Clients at which nobody's player runs dry."""
EARLY_SHARE = 0.35
LABELS: dict[voice.Route, str] = {"coqui": "Coqui /api/tts", "http": "Fireside /v1/audio/speech", "ws": "Fireside /ws"}
Samples = dict[tuple[voice.Route, int], list[voice.Crowd]]
Sentences = dict[voice.Route, list[voice.Heard]]


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
        sentences = {route: [_sentence(server, route) for _ in range(options.rounds)] for route, server in asked}
    report(samples, sentences, options.clients).publish()


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


def _sentence(server: Server, route: voice.Route) -> voice.Heard:
    [one] = apart(voice.measure, server.port, route, 1, 1, voice.SENTENCE)[0].heard
    say(f"one sentence: {LABELS[route]}: 0.2 s after {one.early:.3f} s, all {one.seconds:.1f} s after {one.wall:.3f} s")
    return one


def report(samples: Samples, sentences: Sentences, clients: list[int]) -> Report:
    """The first route is the reference."""
    reference, *ours = sentences
    found = Report("speech", "Speech beside Coqui's own server", __doc__ or "", [_text_table(samples, reference, list(sentences), clients)])
    found.tables.append(_sentence_table(sentences))
    for route in ours:
        found.targets += [_sooner(samples, reference, route, amount) for amount in clients]
        found.targets += [_faster(samples, reference, route, max(clients)), _never_dry(samples, route), _early(sentences[route], route)]
    return found


def _sooner(samples: Samples, reference: voice.Route, route: voice.Route, amount: int) -> Target:
    sooner = ratios(_each(_audible, samples[reference, amount]), _each(_audible, samples[route, amount]))
    return Target(f"{LABELS[route]}: audible sooner, {amount} clients", f">= {SOONER:g} times", str(sooner), sooner.median >= SOONER)


def _faster(samples: Samples, reference: voice.Route, route: voice.Route, amount: int) -> Target:
    faster = ratios(_each(_speed, samples[route, amount]), _each(_speed, samples[reference, amount]))
    return Target(f"{LABELS[route]}: audio s / s, {amount} clients", f">= {FASTER:g} of Coqui's", str(faster), faster.median >= FASTER)


def _never_dry(samples: Samples, route: voice.Route) -> Target:
    dry = sum(one.underruns for crowd in samples.get((route, DRY), []) for one in crowd.heard)
    rounds = len(samples.get((route, DRY), []))
    return Target(f"{LABELS[route]}: players run dry, {DRY} clients", "none", f"{dry} times in {rounds} rounds", rounds > 0 and not dry)


def _early(heard: list[voice.Heard], route: voice.Route) -> Target:
    share = Figure.of(one.early / one.wall for one in heard)
    what = f"{LABELS[route]}: first 0.2 s of one sentence, share of the time for all of it"
    return Target(what, f"<= {EARLY_SHARE:g}", str(share), share.median <= EARLY_SHARE)


def _text_table(samples: Samples, reference: voice.Route, routes: list[voice.Route], clients: list[int]) -> Table:
    timing = ("first audio p50 s", "p95 s", "audible p50 s", "audible sooner")
    table = Table("One text of five sentences", ("clients", "server", *timing, "audio s / s", "underruns per client", "stalled s"))
    for amount in clients:
        for route in routes:
            crowds = samples[route, amount]
            sooner = ratios(_each(_audible, samples[reference, amount]), _each(_audible, crowds))
            figures = _figures(crowds)
            table.rows.append((amount, LABELS[route], *figures[:3], sooner, *figures[3:]))
    return table


def _sentence_table(sentences: Sentences) -> Table:
    table = Table("One sentence of eleven seconds, one client", ("server", "0.2 s, s", "all of it, s", "share", "audio s"))
    for route, heard in sentences.items():
        share = Figure.of(one.early / one.wall for one in heard)
        read = (Figure.of(one.early for one in heard), Figure.of(one.wall for one in heard), share, Figure.of(one.seconds for one in heard))
        table.rows.append((LABELS[route], *read))
    return table


def _each(figure: Callable[[voice.Crowd], float], crowds: list[voice.Crowd]) -> list[float]:
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


def _speed(crowd: voice.Crowd) -> float:
    return crowd.speed


def _audible(crowd: voice.Crowd) -> float:
    return quantile([one.audible for one in crowd.heard], 0.5)


def _p50(crowd: voice.Crowd) -> float:
    return quantile([one.first for one in crowd.heard], 0.5)


if __name__ == "__main__":
    main()
