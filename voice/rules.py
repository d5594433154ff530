"""Rules that put what is written short into words: one pattern and one function each, applied in the order they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Match = re.Match[str]
Say = Callable[[Match], str]


class Rules:
    """Used as a decorator. No pattern may run over the same characters again from each of them: runs are bounded, possessive, or begin at
    a fixed place."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Say]] = []

    def __call__(self, pattern: str, flags: int = 0) -> Callable[[Say], Say]:
        def add(function: Say) -> Say:
            self._rules.append((re.compile(pattern, flags), function))
            return function

        return add

    def apply(self, text: str) -> str:
        for pattern, say in self._rules:
            text = pattern.sub(say, text)
        return text


def alternatives(names: Iterable[str]) -> str:
    """A pattern for any of the names, the longest first."""
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def before(match: Match) -> str:
    """The character before what was matched, or nothing."""
    return match.string[match.start() - 1 : match.start()]


def after(match: Match) -> str:
    return match.string[match.end() : match.end() + 1]


def padded(match: Match, spoken: str) -> str:
    """Words do not stick to the letters that the digits stuck to: mp3, 3D."""
    return (" " if before(match).isalpha() else "") + spoken + (" " if after(match).isalpha() else "")
