"""Sentences that are too long for their model, cut where a reader would breathe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.speech.parts import parts


def cut(text: str, limit: int) -> list[str]:
    return list(parts(text, lambda part: len(part) <= limit))


def test_what_fits_stays_whole() -> None:
    assert cut("Hello, there.", 13) == ["Hello, there."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When the fire was out, nobody spoke for a while.", ["When the fire was out, ", "nobody spoke for a while."]),
        ("When the fire was out nobody spoke for a while.", ["When the fire was out ", "nobody spoke for a while."]),
        ("“He said: no,” she said, and left the old house.", ["“He said: no,” she said, ", "and left the old house."]),
        ("火が消えると、しばらく誰も話さなかった。", ["火が消えると、", "しばらく誰も話さなかった。"]),
    ],
)
def test_a_sentence_is_cut_at_the_clause_nearest_to_its_middle_or_else_at_a_blank(text: str, expected: list[str]) -> None:
    assert cut(text, len(text) - 5) == expected


def test_a_word_without_end_is_cut_but_no_letter_loses_its_accent() -> None:
    assert cut("a" * 10, 5) == ["a" * 5] * 2
    assert cut("ae\u0301" * 3, 8) == ["ae\u0301a", "e\u0301ae\u0301"]


@given(some.text(alphabet="ab ,.\u0301、", max_size=200), some.integers(1, 30))
def test_nothing_is_lost_and_every_part_fits(text: str, limit: int) -> None:
    found = cut(text, limit)
    assert "".join(found) == text
    assert all(len(part) <= limit for part in found)
