"""A spoken conversation on /v1/realtime: how soon the answer to a spoken question is heard, and how soon it stops when somebody interrupts.

Questions are spoken by the profile's own voice and sent as a microphone would, 20 ms at a time. All times of a turn are seconds from the
last sample of the question above -40 dB. Its parts are measured by themselves, one after the other, right after it: the wait until the turn
is over (`server_vad` with its 500 ms of silence), the transcript of a turn that is committed by hand, the first sentence (or clause) of the
streamed answer, and the first audio of that sentence. The pipeline without overlap is the same wait, the same transcript, the whole answer,
and then the whole speech, by the same engines. Answers are cut at the end of their sixth sentence, for all alike.

Interruptions come a second into a long answer, which is still in the making, and count from their first sample above -40 dB: on the mock
engines, whose text comes at 40 tokens and whose speech at 5 seconds of audio per second, and on the real ones.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

from benchmarks import interruptions, recipes, turns
from benchmarks.apart import apart
from benchmarks.interruptions import Interruption
from benchmarks.processes import Server, running, say
from benchmarks.results import Report, Table, Target
from benchmarks.stats import Figure
from benchmarks.talking import RATE
from benchmarks.turns import Parts, Turn

QUESTIONS = (
    "What can you tell me about the city of Paris?",
    "What should I know about honey bees?",
    "How do I bake a loaf of bread?",
)
OVERHEAD = 1.1
SOONER = 4.0
AT_ONCE = 0.3
"""Seconds from the first sound of an interruption."""
MOCK = {
    "text": {"mock": {"tokens_per_second": 40}},
    "speech": {"mock": {"realtime_factor": 0.2}},
}


@dataclass
class Asked:
    """Every question in every round: as a conversation, in parts, and in a row."""

    turns: list[Turn] = field(default_factory=list)
    parts: list[Parts] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)


def main() -> None:
    options = _options()
    recipes.require_weights(options.profile)
    with running(recipes.fireside(options.profile)) as server:
        asked = _questions(server, options.rounds)
        real = apart(measure_interruptions, server.port, options.rounds)
    with running(recipes.fireside(recipes.variant("mock", MOCK))) as server:
        mock = apart(measure_interruptions, server.port, options.rounds)
    report(asked, {"mock": mock, options.profile: real}).publish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conversation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="cpu", help="what to serve (default cpu)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    return parser.parse_args()


def _questions(server: Server, rounds: int) -> dict[str, Asked]:
    found: dict[str, Asked] = defaultdict(Asked)
    for text in QUESTIONS:
        found[text] = apart(measure, server.port, text, rounds)
        say(f"{text} audio after {Figure.of(turn.audio for turn in found[text].turns)} s")
    return found


def measure(port: int, text: str, rounds: int) -> Asked:
    return uvloop.run(_measure(port, text, rounds))


def measure_interruptions(port: int, rounds: int) -> list[Interruption]:
    return uvloop.run(interruptions.measure(port, rounds))


async def _measure(port: int, text: str, rounds: int) -> Asked:
    question, asked = await turns.asked(port, text), Asked()
    await turns.conversing(port, question)
    for _ in range(rounds):
        turn = await turns.conversing(port, question)
        asked.turns.append(turn)
        asked.parts.append(await turns.alone(port, question, turn))
        asked.rows.append(await turns.in_a_row(port, question))
    return asked


def report(asked: dict[str, Asked], stopped: dict[str, list[Interruption]]) -> Report:
    tables = [_turn_table(asked), _part_table(asked), _row_table(asked), _stop_table(stopped), _said_table(asked)]
    found = Report("conversation", "A spoken conversation", __doc__ or "", tables)
    found.targets = [_overhead(asked), _sooner(asked)]
    found.targets += [
        _at_once(stopped["mock"], "last audio", lambda one: one.last_audio),
        _at_once(stopped["mock"], "idle", lambda one: one.idle),
    ]
    return found


def _overhead(asked: dict[str, Asked]) -> Target:
    share = Figure.of(ratio for one in asked.values() for ratio in _shares(one))
    return Target("end of speech to first audio, of the sum of its parts", f"<= {OVERHEAD:g}", str(share), share.median <= OVERHEAD)


def _sooner(asked: dict[str, Asked]) -> Target:
    sooner = Figure.of(ratio for one in asked.values() for ratio in _times_sooner(one))
    return Target("first audio sooner than without overlap", f">= {SOONER:g} times", str(sooner), sooner.median >= SOONER)


def _at_once(stopped: list[Interruption], what: str, read: Callable[[Interruption], float]) -> Target:
    figure = Figure.of(map(read, stopped))
    return Target(f"mock: interruption to {what}", f"<= {AT_ONCE:g} s", f"{figure} s", figure.high <= AT_ONCE)


def _turn_table(asked: dict[str, Asked]) -> Table:
    marks = ("turn over s", "transcript s", "first sentence s", "first audio s", "audible s", "of the parts' sum")
    table = Table("From the end of a question, as a conversation", ("question", *marks))
    for text, one in asked.items():
        read = (_figure(one.turns, name) for name in ("stopped", "transcribed", "sentence", "audio", "audible"))
        table.rows.append((text, *read, Figure.of(_shares(one))))
    return table


def _part_table(asked: dict[str, Asked]) -> Table:
    table = Table("Its parts, each alone", ("question", "wait s", "transcription s", "first sentence s", "its first audio s", "sum s"))
    for text, one in asked.items():
        read = (_figure(one.parts, name) for name in ("waiting", "transcription", "sentence", "audio", "total"))
        table.rows.append((text, *read))
    return table


def _row_table(asked: dict[str, Asked]) -> Table:
    table = Table(
        "Beside a pipeline without overlap", ("question", "conversation s", "without overlap s", "sooner", "audio of the answer s")
    )
    for text, one in asked.items():
        seconds = Figure.of(len(turn.samples) / RATE for turn in one.turns)
        table.rows.append((text, _figure(one.turns, "audio"), Figure.of(one.rows), Figure.of(_times_sooner(one)), seconds))
    return table


def _stop_table(stopped: dict[str, list[Interruption]]) -> Table:
    table = Table("From the first sound of an interruption", ("engines", "last audio s", "speech_started s", "answer over s", "idle s"))
    for engines, found in stopped.items():
        read = (_figure(found, name) for name in ("last_audio", "told", "cancelled", "idle"))
        table.rows.append((engines, *read))
    return table


def _said_table(asked: dict[str, Asked]) -> Table:
    table = Table("What was heard and said", ("question", "its transcript", "answer"))
    table.rows += [(text, one.turns[-1].heard, " ".join(one.turns[-1].said.split())) for text, one in asked.items()]
    return table


def _figure(found: Sequence[object], name: str) -> Figure:
    return Figure.of(getattr(one, name) for one in found)


def _shares(one: Asked) -> list[float]:
    return [turn.audio / parts.total for turn, parts in zip(one.turns, one.parts, strict=True)]


def _times_sooner(one: Asked) -> list[float]:
    return [row / turn.audio for row, turn in zip(one.rows, one.turns, strict=True)]


if __name__ == "__main__":
    main()
