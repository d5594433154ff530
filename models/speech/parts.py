"""Cuts a sentence that is too long for its model where a reader would breathe. The parts, joined, are the sentence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

_CLAUSES = re.compile(r"[.!?;:,)\]…—。！？；：，、؛،।]+[\"'”’»]*\s*(?=\S)")
_BLANKS = re.compile(r"\s+(?=\S)")


def parts(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """The whole text where it fits; else its halves, cut at the clause, the blank or the character that is nearest to the middle."""
    if fits(text) or len(text) < 2:
        yield text
        return
    at = _cut(text)
    yield from parts(text[:at], fits)
    yield from parts(text[at:], fits)


def _cut(text: str) -> int:
    """A place within the text. Clauses count between a quarter and three quarters: a part of two words sounds like one."""
    middle, reach = len(text) // 2, len(text) // 4
    clauses = [found.end() for found in _CLAUSES.finditer(text) if abs(found.end() - middle) <= reach]
    blanks = [found.end() for found in _BLANKS.finditer(text) if found.start()]
    characters = [at for at in range(1, len(text)) if not unicodedata.category(text[at]).startswith("M")]
    places = clauses or blanks or characters or [middle]
    return min(places, key=lambda at: abs(at - middle))
