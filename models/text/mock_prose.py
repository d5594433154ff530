"""Text that looks like a model's: the same for the same key, in tokens of a word or a sign each."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

# A word with the space before it, a sign, or space at the end: joined, tokens are the text again. Long words fall into pieces.
TOKEN = re.compile(r"\s*\w{1,12}|\s*[^\w\s]|\s+")

OPENINGS = ("The", "A", "This", "Every", "One")
QUALITIES = ("quiet", "small", "bright", "old", "patient", "warm", "distant", "clever", "golden", "gentle", "curious", "steady")
THINGS = ("river", "lamp", "garden", "engine", "letter", "bridge", "window", "story", "harbour", "kettle", "mountain", "clock")
DEEDS = ("carries", "finds", "follows", "remembers", "keeps", "answers", "crosses", "warms", "paints", "watches", "guards", "meets")
PLACES = ("before dawn", "in the rain", "by the sea", "after supper", "without a word", "near the mill", "at noon", "all winter long")
SENTENCES = (3, 6)


def split(text: str) -> list[str]:
    return TOKEN.findall(text)


def prose(key: str, at_least: int = 0) -> Iterator[str]:
    """Tokens of a few sentences; goes on to the end of the sentence in which `at_least` tokens are reached."""
    chance = random.Random(key)
    sentences, count = chance.randint(*SENTENCES), 0
    while sentences > 0 or count < at_least:
        words = _sentence(chance.random, " " if count else "")
        yield from words
        sentences, count = sentences - 1, count + len(words)


def _sentence(chance: Callable[[], float], before: str) -> list[str]:
    """Made of tokens: to make a text and to split it would take most of the time of a stream of mocks."""
    opening, first, thing, deed, second, other, place = [words[int(chance() * len(words))] for words in _PATTERN]
    return [before + opening, first, thing, deed, " the", second, other, *_PLACES[place], "."]


def _spaced(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f" {word}" for word in words)


_PLACES = {place: split(f" {place}") for place in PLACES}
_PATTERN = (OPENINGS, *map(_spaced, (QUALITIES, THINGS, DEEDS, QUALITIES, THINGS)), PLACES)
