"""When each character of a text is heard, from the times of its words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from voice.words import WrittenWord


class Letters:
    """When each character is heard: those of a word and the marks behind it evenly in its time, the rest between words."""

    def __init__(self) -> None:
        self._text, self._at, self._clock = "", 0, 0.0
        self._pending: list[tuple[str, float, float]] = []

    def begin(self, text: str, at: int) -> None:
        """The next sentence, which stands at character `at` of the whole."""
        self._spread(self._text, self._clock, self._clock)
        self._text, self._at = text, at

    def hear(self, words: Sequence[WrittenWord]) -> None:
        for word in words:
            before, rest = self._text[: word.at - self._at], self._text[word.at - self._at :]
            text = word.text + "".join(takewhile(_is_mark, rest[len(word.text) :]))
            self._spread(before, self._clock, word.start)
            self._spread(text, word.start, word.end)
            self._text, self._at, self._clock = rest[len(text) :], word.at + len(text), word.end

    def until(self, begin: float, end: float) -> dict[str, list[Any]] | None:
        """Those that begin before `end`, in milliseconds from `begin`, as ElevenLabs tells them."""
        heard = [letter for letter in self._pending if letter[1] < end]
        self._pending = self._pending[len(heard) :]
        if not heard:
            return None
        starts = [max(0, round(1000 * (start - begin))) for _, start, _ in heard]
        durations = [round(1000 * seconds) for _, _, seconds in heard]
        return {"chars": [letter for letter, _, _ in heard], "charStartTimesMs": starts, "charDurationsMs": durations}

    def _spread(self, text: str, start: float, end: float) -> None:
        each = (end - start) / max(len(text), 1)
        self._pending += [(letter, start + number * each, each) for number, letter in enumerate(text)]


def _is_mark(character: str) -> bool:
    return not (character.isalnum() or character.isspace())
