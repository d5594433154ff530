"""How the benchmarks of load judge what comes: of an answer, of the server's books, of an overload and of an end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from benchmarks import drain, overload, soak
from benchmarks.endings import Ended, Manner, Outcome, Site, unclear
from benchmarks.traffic import Ask, Kind, Piece, Refused, Silent, Told
from benchmarks.wire import Truncated

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _kind(*pieces: Piece, ends: Exception | None = None, waits: bool = False) -> Kind:
    async def ask(_: Ask) -> AsyncGenerator[Piece, None]:
        for piece in pieces:
            yield piece
        if waits:
            await asyncio.Event().wait()
        if ends:
            raise ends

    return Kind("chat", "/chat", ask, "text")


@pytest.mark.parametrize(
    ("kind", "manner", "outcome"),
    [
        (_kind("Good ", "evening."), "good", "right"),
        (_kind("Good ", "morning."), "good", "wrong"),
        (_kind(), "good", "wrong"),
        (_kind(ends=Refused("overloaded", 503)), "good", "refused"),
        (_kind("Good", ends=Told("engine_died")), "good", "told"),
        (_kind("Good", ends=Silent()), "good", "silent"),
        (_kind("Good", ends=Truncated()), "good", "broken"),
        (_kind("Good", waits=True), "cut", "left"),
        (_kind(ends=Refused("invalid_request_error", 400)), "malformed", "right"),
        (_kind(ends=Refused("internal_error", 500)), "malformed", "wrong"),
        (_kind("Good ", "evening."), "malformed", "wrong"),
    ],
)
async def test_every_end_has_its_name(kind: Kind, manner: Manner, outcome: Outcome) -> None:
    site = Site(0, "mock", (kind,), known={("chat", 0): ["Good evening."]})
    assert (await site.ask(kind, manner, 0)).outcome == outcome


async def test_a_model_may_have_nothing_to_say() -> None:
    site = Site(0, "mock", (_kind(),), known={("chat", 0): [""]})
    assert (await site.ask(_kind(), "good", 0)).outcome == "right"


CHAT = _kind()


def _ended(outcome: Outcome, code: str = "", *, manner: Manner = "good", began: float = 0, ended: float = 1, accepted: float = 1) -> Ended:
    return Ended(CHAT, manner, began, accepted, 0.5, ended, outcome, code)


def test_only_words_that_say_come_back_later_are_clear() -> None:
    assert not unclear(_ended("refused", "overloaded"))
    assert unclear(_ended("told", "internal_error"))
    assert unclear(_ended("silent"))


def _level(tasks: int = 11, **counted: int) -> soak.Level:
    return soak.Level({"service": 10**8}, 50, 20, tasks, 9, 0, Counter({("/chat", how): count for how, count in counted.items()}))


@pytest.mark.parametrize(
    ("ok", "cancelled", "fits"),
    # Three right and two that left: one of them may have been answered, another may never have come.
    [(3, 2, "yes"), (4, 1, "yes"), (3, 1, "yes"), (2, 3, "**no**"), (3, 3, "**no**"), (3, -1, "**no**")],
)
def test_the_servers_count_must_be_the_clients(ok: int, cancelled: int, fits: str) -> None:
    ends = [_ended("right")] * 3 + [_ended("left", manner="cut")] * 2
    found = soak.report("mock", soak.Soak(1, ends=ends), _level(ok=7), _level(ok=7 + ok, cancelled=cancelled), 1)
    assert found.tables[1].rows == [("/chat", 5, 2, 3, ok + cancelled, ok, fits)]


def test_tasks_that_stay_are_a_target_missed() -> None:
    found = soak.report("mock", soak.Soak(1, ends=[_ended("right")]), _level(11), _level(40, ok=1), 1)
    assert [target.met for target in found.targets if target.what == "asyncio tasks"] == [False]


def test_goodput_counts_what_came_in_time() -> None:
    taken = overload.Taken(wall=2, done=[0.5, 0.9, 3.0], refused=[0.01])
    assert taken.goodput(1) == 1
    assert taken.asked == 4


def test_an_overload_is_held_against_the_peak() -> None:
    steps = {8: overload.Taken(wall=1, done=[0.5] * 10)}
    flood = overload.Taken(wall=1, done=[0.5] * 8 + [9] * 5, refused=[0.01] * 90)
    found = overload.report("mock", steps, 1, flood, 100, {"/livez": [0.01, 0.02]})
    assert [(target.got, target.met) for target in found.targets[:2]] == [("0.80", False), ("10.0 ms", True)]


def test_what_was_accepted_and_breaks_off_is_lost() -> None:
    one = drain.Drain(signalled=10, exited=12)
    one.ends = [
        _ended("right", ended=5),
        _ended("right", began=9, ended=11),
        _ended("told", "closed with 1012", began=9, ended=11),
        lost := _ended("broken", "Truncated", began=9, ended=11, accepted=9.5),
        _ended("broken", "ConnectionResetError", began=9.99, ended=11, accepted=0),
        _ended("broken", "ConnectionRefusedError", began=11, ended=11, accepted=0),
        let_in := _ended("silent", began=11, ended=12),
    ]
    assert one.lost() == [lost]
    assert one.let_in() == [let_in]
