"""What is written and what is said."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import table
from voice.normalize import normalize

ENGLISH = [
    pytest.param(written, said, id=f"{subject}-{written[:30]}")
    for subject, cases in table("english").items()
    for written, said in cases.items()
]
OTHERS = {
    ("de", "Es kostet 1.234,50."): "Es kostet eintausendzweihundertvierunddreißig Komma fünf.",
    ("fr-FR", "Il y a 21 chats et 1 000 chiens."): "Il y a vingt et un chats et mille chiens.",
    ("de", "Das kostet 3,50 € oder 1 €."): "Das kostet drei Euro fünfzig oder ein Euro.",
    ("de", "$20 & 5 %"): "zwanzig Dollar und fünf Prozent",
    ("fr", "Il coûte 1 200,00 €, soit 20 %."): "Il coûte mille deux cents euros, soit vingt pour cent.",
    ("es", "Son 3,50 € y 21 °C."): "Son tres euros con cincuenta y veintiuno grados Celsius.",
    ("it", "Costa 3,50 €."): "Costa tre euro e cinquanta.",
    ("pt", "Custa €2,30."): "Custa dois euros e trinta.",
    ("nl", "Het is 50% van 3,50 €."): "Het is vijftig procent van drie euro vijftig.",
    ("ru", "Это 50 %."): "Это пятьдесят процентов.",
    ("es", "Tengo 3 gatos."): "Tengo tres gatos.",
    ("ru", "У меня 5 яблок."): "У меня пять яблок.",
    ("ja", "値段は100円です。"): "値段は百円です。",
    ("zh", "你好，**有** 3个😀。"): "你好，有 3个 。",
}
PARTS = [
    "Dr. ",
    "St. ",
    "e.g. ",
    "U.S.",
    "p.m. ",
    "3",
    "42.50",
    "1,000",
    "$",
    "€",
    "%",
    "°C",
    " km",
    ":",
    "/",
    "-",
    "—",
    "...",
    "…",
    '"',
    "'",
    "(",
    ")",
]
PARTS += [
    "*",
    "_",
    "`",
    "#",
    "|",
    "\n",
    " ",
    ". ",
    ", ",
    "! ",
    "?",
    "a",
    "Hello ",
    "the ",
    "No",
    "May ",
    "1999",
    "st",
    "@",
    "example.com",
    "😀",
    "é",
    "½",
    "x",
]


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(ENGLISH) >= 200


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_english_is_said_as_people_say_it(written: str, said: str) -> None:
    assert normalize(written) == said


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_what_is_in_words_stays(written: str, said: str) -> None:
    assert normalize(said) == said


@pytest.mark.parametrize(("language", "text"), OTHERS)
def test_other_languages_get_their_numbers(language: str, text: str) -> None:
    assert normalize(text, language) == OTHERS[language, text]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join) | st.text(max_size=40))
def test_any_text_becomes_words_that_a_voice_knows(text: str) -> None:
    said = normalize(text)
    assert not set(said) & set('0123456789"“”„«»—–…*_`#|<>[](){}\n$€%°&@+=~^\\/')
    assert said == said.strip()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="xyz .,!?;:'-", max_size=40))
def test_nothing_but_letters_and_stops_is_needed_twice(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**15 - 1))
def test_no_number_is_left_in_digits(number: int) -> None:
    assert not any(character.isdigit() for character in normalize(f"It has {number:,} or {number} parts"))


WORDS = ("alpha", "bravo", "charlie", "delta")
BETWEEN = ["<", ">", "</", "/>", "=", "<=", "->", "&&", "|", "[", "]", "(", ")", "{", "}", "*", "_", "~", "#", "^", "\\", "$", "%", "@"]
BETWEEN += ["30s", "3h 20m", "1 000", "V8", "v2.1", "10:30-11:45", "$.50", "x²", "5M", "5m", "'", ":", ";", "—", "-", "...", "\n", " ", " "]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.lists(st.sampled_from(BETWEEN), max_size=3).map(" ".join), min_size=4, max_size=4), st.booleans())
def test_no_word_is_lost_whatever_signs_lie_between(signs: list[str], apart: bool) -> None:
    said = normalize((" " if apart else "").join(f"{sign}{word}" for sign, word in zip(signs, WORDS, strict=True)))
    assert [word for word in WORDS if word not in said] == []


TRICKY = """if a<b and c>d then swap them, else keep vector<string> and map<int, Vec<u8>>
see <your file> or <name>, then wait 30s before trying again, or 10m at most
the `<T>` of List<T> is a type, not <b>bold</b> and not <a href="x">linked</a>
call f(x) where x >= 3 && y != 4 || !done, then x -> y => z
it costs $5-10 or US$1.5M for 10-20km in 3h 20m from 10:30-11:45 on May 5-7
| name | size | | joe | 8gb | and a footnote[1], see [link](http://a.b) or {this} ~~gone~~
H₂O at 5°C-10°C under 10³ hPa, x² + y² ≥ z⁻¹, speed 10 m/s² ± 5%
the V8 of '69 in the 80s and 90s with 1 000 000 miles, v2.1 of version 3, No. 5 & #7"""


@pytest.mark.parametrize("text", TRICKY.splitlines())
def test_every_word_of_a_tricky_sentence_is_said(text: str) -> None:
    plain = re.sub(r"http://a.b|<[/]?[ab]\b[^>]*>|8gb|href", "", text)
    said = normalize(text).lower()
    assert [word for word in re.findall(r"[a-z]{3,}", plain.lower()) if word not in said] == []


UNITS = ["1.", "1,", "$", "a.", "a@", "-", "(", "*", "[a](", "http://", " ", "😀", "```", "|", "<b>", "<a.", "'s", "… ", "5th "]
UNITS += [
    "1 000 ",
    "the 30s ",
    "<a b=",
    "a<b",
    "x²",
    "9-",
    "1h 1m ",
    "10:30-",
    "5m-",
    "the 30s, 40s, ",
    "<!--",
    "⁺",
    "version ",
    "1e",
    "$1-",
    "₂",
    "->",
    "May 5-",
    "\\frac{",
    "$x",
    "St. ",
    "Mon-",
    "[a][",
    "[^",
    "+1 ",
    "1 1/2 ",
    "A&",
    "x^",
    "/",
    "&#1",
    "Henry I ",
    '1" ',
]


def test_a_megabyte_of_digits_is_no_trouble() -> None:
    # A quadratic pattern would need hours here: the limit on every test is the assertion.
    assert len(normalize("1" * 1_000_000).split()) == 1_000_000


@pytest.mark.parametrize("unit", UNITS)
def test_fifty_thousand_characters_of_one_kind_are_no_trouble(unit: str) -> None:
    said = normalize(unit * (50_000 // len(unit)))
    assert not set(said) & set("<>|`*(")
