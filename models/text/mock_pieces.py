"""From tokens to what is sent: cut at max_tokens and at stop strings, wherever the borders of the tokens lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from models.base import FinishReason


class Piece(NamedTuple):
    """New text, the tokens it stands for, and in the last piece why it ends and which stop string was met."""

    text: str
    tokens: int
    finish_reason: FinishReason | None = None
    stop_reason: str | None = None


_whole = lru_cache(partial(Piece, tokens=1))
"""A word that is a token. There are few words, and to make a tuple with names takes longer than to find it."""


def cut(words: Iterable[str], limit: int, stop: tuple[str, ...] = ()) -> Iterator[Piece]:
    """At most `limit` tokens. A reply that ends of itself ends with an empty piece for the end-of-sequence token, as vLLM's."""
    return _cut_at_stop(words, limit, stop) if stop else _cut_at_limit(words, limit)


def _cut_at_limit(words: Iterable[str], limit: int) -> Iterator[Piece]:
    for number, word in enumerate(words, 1):
        if number == limit:
            yield Piece(word, 1, "length")
            return
        yield _whole(word)
    yield Piece("", 1, "stop")


def _cut_at_stop(words: Iterable[str], limit: int, stop: tuple[str, ...]) -> Iterator[Piece]:
    held, pending = "", 0
    keep = max(map(len, stop)) - 1  # a stop string may have begun in the last `keep` characters
    for number, word in enumerate(words, 1):
        held, pending = held + word, pending + 1
        if found := _earliest(held, stop):
            yield Piece(held[: held.index(found)], pending, "stop", found)
            return
        if number == limit:
            yield Piece(held, pending, "length")
            return
        if len(held) > keep:
            border = len(held) - keep
            yield Piece(held[:border], pending)
            held, pending = held[border:], 0
    yield Piece(held, pending + 1, "stop")


def _earliest(text: str, stop: tuple[str, ...]) -> str | None:
    return min((text.find(item), -len(item), item) for item in stop if item in text)[2] if any(item in text for item in stop) else None
