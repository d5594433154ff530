"""How requests end: each is asked in a manner, and what came is held against what must come."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from time import perf_counter
from typing import Literal

import numpy as np
from websockets.exceptions import ConnectionClosed

from benchmarks.cancels import APART, HEADER
from benchmarks.traffic import CUT_OFF, KINDS, MOST, TEXTS, Ask, Clear, Kind, Piece, Refused, Silent, wav
from benchmarks.wire import Truncated

Manner = Literal["good", "cut", "malformed", "slow"]
Outcome = Literal["right", "wrong", "refused", "told", "broken", "silent", "left"]
SHARES: dict[Manner, float] = {"cut": 0.10, "malformed": 0.05, "slow": 0.02}
"""The rest is good."""
CLEAR = frozenset(
    {CUT_OFF, "not_ready", "overloaded", "engine_died", "rate_limit_exceeded", "429", "503", "closed with 1012", "closed with 1013"}
)
"""What a client may be told that asked for something good: come back later."""
WRONG_REQUEST = frozenset({400, 404, 413, 422, 0})
"""Statuses of what malformed requests get; sockets have none."""
PROMPTS = 8
BATCHES = (2, 3, 4)
"""Of real engines: how many prompts are asked at once to learn what is right."""
ALIKE = 0.8
"""Of a recording's transcript and what was said."""
SLOWEST = 0.5
"""Seconds that a slow reader lets pass before each of its first pieces."""
LONGEST_LOOK = 0.6
"""Seconds after which a client has left at the latest, if it is to."""


@dataclass(frozen=True, slots=True)
class Ended:
    kind: Kind
    manner: Manner
    began: float
    accepted: float
    first: float
    """When its first piece came; 0 where none did."""
    ended: float
    outcome: Outcome
    code: str = ""

    @property
    def wait(self) -> float:
        """Of an answer that has no pieces, until its end."""
        return (self.first or self.ended) - self.began

    @property
    def total(self) -> float:
        return self.ended - self.began


@dataclass
class Site:
    """A server and what its answers must be."""

    port: int
    model: str
    kinds: tuple[Kind, ...] = KINDS
    recordings: tuple[bytes, ...] = ()
    known: dict[tuple[str, int], list[Piece]] = field(default_factory=lambda: defaultdict(list))
    """What is right. A language model's greedy text may fork where two tokens are equally likely, by what else is in its batch."""

    @classmethod
    async def explored(cls, port: int, model: str, kinds: Iterable[Kind] = KINDS, *, mock: bool) -> Site:
        """Ask for everything once; real engines for one thing at a time, and what they hear must be what was said."""
        site = cls(port, model, tuple(kinds))
        speech = next(kind for kind in KINDS if kind.name == "speech")
        if any(kind.engine == "listening" for kind in site.kinds):
            said = [await site._content(speech, number) for number in range(len(TEXTS))]
            site.recordings = tuple(wav(bytes(one)[HEADER:]) for one in said if isinstance(one, bytes))
        for kind in site.kinds:
            await site._explore(kind, range(PROMPTS) if mock else [])
            for number in () if mock else range(PROMPTS):
                await site._explore(kind, [number])
                if kind.engine == "listening":
                    _check_heard(str(site.known[kind.name, number][0]), TEXTS[number % len(TEXTS)])
        for size in () if mock else BATCHES:
            for kind in site.kinds:
                if kind.engine == "text":
                    for at in range(PROMPTS):
                        await site._explore(kind, [(at + step) % PROMPTS for step in range(size)])
        return site

    async def _explore(self, kind: Kind, numbers: Sequence[int]) -> None:
        contents = await asyncio.gather(*(self._content(kind, number) for number in numbers))
        for number, content in zip(numbers, contents, strict=True):
            if content not in self.known[kind.name, number]:
                self.known[kind.name, number].append(content)

    async def _content(self, kind: Kind, number: int) -> Piece:
        return _joined([piece async for piece in kind.ask(self._ask(number))])

    def _ask(self, number: int, *, malformed: bool = False) -> Ask:
        return Ask(self.port, self.model, number, malformed, self.recordings)

    async def ask(self, kind: Kind, manner: Manner, number: int) -> Ended:
        """What goes wrong is its outcome, never an exception."""
        ask, pieces, first = self._ask(number, malformed=manner == "malformed"), list[Piece](), 0.0
        limit = random.uniform(0, LONGEST_LOOK) if manner == "cut" else MOST
        outcome, code = "broken", ""
        try:
            async with asyncio.timeout(limit), aclosing(kind.ask(ask)) as stream:
                async for piece in _read(stream, slowly=manner == "slow"):
                    first = first or perf_counter()
                    pieces.append(piece)
                outcome = self._judged(kind, manner, number, pieces)
                code = f"prompt {number}" if outcome == "wrong" else ""
        except TimeoutError:
            outcome, code = ("left", "") if manner == "cut" else ("silent", "no end")
        except Clear as error:
            outcome, code = _clear(error, manner), error.code
        except Silent:
            outcome = "silent"
        except (Truncated, OSError, ConnectionClosed) as error:
            code = type(error).__name__
        return Ended(kind, manner, ask.began, ask.accepted, first, perf_counter(), outcome, code)

    def _judged(self, kind: Kind, manner: Manner, number: int, pieces: list[Piece]) -> Outcome:
        known = self.known[kind.name, number]
        return "right" if manner != "malformed" and any(same(_joined(pieces), one) for one in known) else "wrong"


def manner() -> Manner:
    """By SHARES."""
    place = random.random()
    for one, share in SHARES.items():
        place -= share
        if place < 0:
            return one
    return "good"


def same(got: Piece, known: Piece) -> bool:
    """Of audio: sample for sample, within what batches make of it."""
    if isinstance(got, bytes) and isinstance(known, bytes):
        one, other = (np.frombuffer(data[HEADER : len(data) & ~1], "<i2").astype(int) for data in (got, known))
        return len(one) == len(other) and not bool((np.abs(one - other) > APART).any())
    return got == known


def counts(ends: Iterable[Ended]) -> Counter[str]:
    return Counter(f"{one.outcome} {one.code}".strip() for one in ends)


def unclear(one: Ended) -> bool:
    """Neither right nor refused clearly, though it should be."""
    return one.outcome in {"wrong", "broken", "silent"} or (one.outcome in {"refused", "told"} and one.code not in CLEAR)


def _clear(error: Clear, manner: Manner) -> Outcome:
    if manner == "malformed" and isinstance(error, Refused) and error.code not in CLEAR:
        return "right" if error.status in WRONG_REQUEST else "wrong"
    return "refused" if isinstance(error, Refused) else "told"


async def _read(stream: AsyncGenerator[Piece, None], *, slowly: bool) -> AsyncGenerator[Piece, None]:
    waits = 6 if slowly else 0
    async for piece in stream:
        yield piece
        if waits:
            waits -= 1
            await asyncio.sleep(SLOWEST)


def _joined(pieces: list[Piece]) -> Piece:
    if pieces and isinstance(pieces[0], bytes):
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return "".join(map(str, pieces))


def _check_heard(heard: str, said: str) -> None:
    if (alike := SequenceMatcher(None, heard.lower(), said.lower()).ratio()) < ALIKE:
        raise ValueError(f"expected to be understood, and {said!r} was heard as {heard!r} ({alike:.2f} alike)")
