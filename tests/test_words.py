"""Which phonemes are whose, where espeak's groups are not the written words."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speech.spans import word_spans

ALONE = {"the": "ðə", "of": "ʌv", "room": "ɹuːm", "one": "wʌn", "to": "tə", "be": "biː", "BBC": "biːbiːsiː", "said": "sɛd"}


def words_of(text: str, phonemes: str) -> list[str]:
    spans = word_spans(text.split(), phonemes, lambda word: ALONE.get(word, word))
    return [phonemes[round(span.start) : round(span.end)] for span in spans]


@pytest.mark.parametrize(
    ("text", "phonemes", "expected"),
    [
        ("the room", "ðə ɹuːm", ["ðə", "ɹuːm"]),
        ("one of the room", "wʌn əvðə ɹuːm", ["wʌn", "əv", "ðə", "ɹuːm"]),
        ("to be the one", "təbi ðə wʌn", ["tə", "bi", "ðə", "wʌn"]),
        ("the BBC said", "ðə biː biː siː sɛd", ["ðə", "biː biː siː", "sɛd"]),
        ("said", "", [""]),
    ],
)
def test_words_get_their_phonemes(text: str, phonemes: str, expected: list[str]) -> None:
    assert words_of(text, phonemes) == expected


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=1, max_size=30), st.text("abcdefgh ,.", max_size=120))
def test_spans_are_in_order_and_within_the_phonemes(words: list[str], phonemes: str) -> None:
    spans = word_spans(words, phonemes, lambda word: word)
    assert len(spans) == len(words)
    assert all(0 <= span.start <= span.end <= len(phonemes) for span in spans)
    assert all(one.end <= other.start + 1e-9 for one, other in pairwise(spans))


def test_it_needs_no_torch() -> None:
    assert "torch" not in sys.modules
