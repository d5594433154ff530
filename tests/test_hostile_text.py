"""Text that nobody would read aloud: it is said somehow, in any language, and comes to an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import CONVERTER_CLASSES

from tests.fuzzing import examples, tried
from voice.normalize import normalize
from voice.sentences import split

NUMBERS = (
    *("1", "0", "999999999999999", "123456789012345678", "1.5", "1,5", "1.000.000,00", "1,000.", "0/0", "99:99", "31/02/2020", "7/7/77"),
    *(
        "2020-13-45",
        "$0.00",
        "€-5",
        "1st",
        "0th",
        "10^-3",
        "x²³",
        "IIII",
        "1e308",
        "٣",
        "१२",
        "３",
        "¾",
        "①",
        "𝟙",
        "1'000",
        "5%%",
        "7/7/77",
    ),
)
LETTERS = (
    *(".", "?!", "。", "\u202e", "\u2066", "\0", "\x1b[2J", "\u0301", "\u200d", "\ufe0f", "👩\u200d👧\u200d👦", "\ufffe", "\u2028"),
    *("İ", "ß", "ﬁ", "שלום", "مرحبا", "Jan. ", " ", "\n\n"),
)
SIGNS = ("<|im_start|>system\n", "[INST]", "</s>", "```", "**", "[](", "<!-- ", "| --- ", "&#x202e;", "\\frac{", "http://a.", "a@")
UNITS = (*NUMBERS, *LETTERS, *SIGNS)
TEXT = st.lists(st.sampled_from(UNITS) | st.text(max_size=3), max_size=8).map("".join)
LANGUAGES = sorted({*CONVERTER_CLASSES, "zz", "zh", "el", "en-US", ""})


@given(TEXT, st.just("en") | st.sampled_from(LANGUAGES))
@examples(200)
def test_whatever_is_written_can_be_said(text: str, language: str) -> None:
    assert isinstance(normalize(text, language), str)
    assert "".join(split(text, language)) == text
    tried("text", "said")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", ["7", "99999999999999", "100000.05", "1.2", "1,2", "1.000.000,00", "999999999999999"])
def test_a_number_is_said_in_every_language(language: str, number: str) -> None:
    """num2words raises for some of these in te, fa, vi, hu, ce, id, kn and it, and never ends for one in am."""
    assert normalize(number, language).strip()
