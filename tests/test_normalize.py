"""What is written and what is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.normalize import normalize

ENGLISH = {
    # numbers
    "7 cats and 1,024 dogs": "seven cats and one thousand and twenty-four dogs",
    "98.6": "ninety-eight point six",
    "3.10": "three point one zero",
    "-5 and .5": "minus five and point five",
    "007": "zero zero seven",
    "12345678901234567": "one two three four five six seven eight nine zero one two three four five six seven",
    "1st, 22nd and 103rd": "first, twenty-second and one hundred and third",
    "pages 10-20": "pages ten to twenty",
    "3–5 minutes": "three to five minutes",
    "1/2 cup, 3/4 and 2½": "one half cup, three quarters and two and one half",
    "50% or 12.5 %": "fifty percent or twelve point five percent",
    "mp3, 3D and GPT-4": "mp three, three D and GPT four",
    "No. 5, #7, p. 3": "number five, number seven, page three",
    "5'10\" tall": "five foot ten tall",
    # years, dates, times
    "in 1999": "in nineteen ninety-nine",
    "in 2005 and 2024": "in two thousand five and twenty twenty-four",
    "the 1990s": "the nineteen nineties",
    "2024-05-06": "May sixth, twenty twenty-four",
    "5/6/2024": "May sixth, twenty twenty-four",
    "on May 5, 2024": "on May fifth, twenty twenty-four",
    "1 Jan. 2020": "January first, twenty twenty",
    "at 3:30 p.m.": "at three thirty PM.",
    "at 9:05 am": "at nine oh five AM",
    "at 12:00": "at twelve o'clock",
    "15:45": "fifteen forty-five",
    "by 10am": "by ten AM",
    # money
    "$42.50": "forty-two dollars and fifty cents",
    "$1.01": "one dollar and one cent",
    "$0.99": "ninety-nine cents",
    "£1 and €5": "one pound and five euros",
    "$3.5 million": "three point five million dollars",
    "5 USD": "five dollars",
    "$1,000.50": "one thousand dollars and fifty cents",
    # units
    "10 km at 60 mph": "ten kilometers at sixty miles per hour",
    "1 kg": "one kilogram",
    "37 °C or 98.6°F": "thirty-seven degrees Celsius or ninety-eight point six degrees Fahrenheit",
    "16 GB at 3.2 GHz": "sixteen gigabytes at three point two gigahertz",
    # addresses
    "Mail a.b@c.org!": "Mail a dot b at c dot org!",
    "See https://www.example.com/a-b?x=1.": "See example dot com slash a dash b question mark x equals one.",
    "Visit example.com.": "Visit example dot com.",
    "Call 555-123-4567.": "Call five five five, one two three, four five six seven.",
    "Use v1.2.3": "Use version one point two point three",
    # abbreviations
    "Dr. and Mrs. Smith Jr.": "Doctor and Missus Smith Junior.",
    "St. Mary on Main St.": "Saint Mary on Main Street.",
    "fruit, e.g. apples": "fruit, for example, apples",
    "the U.S. and D.C.": "the US and DC.",
    "J. R. R. Tolkien": "J R R Tolkien",
    "NASA or the FBI": "NASA or the FBI",
    "pens, paper, etc.": "pens, paper, et cetera.",
    # signs
    "R&D": "R and D",
    "2 + 2 = 4": "two plus two equals four",
    "5 - 3": "five minus three",
    "and/or": "and or",
    "C# and C++": "C sharp and C plus plus",
    "\u222b": "integral",
    # quotes, dashes, emoji
    "“Hello,” she said — ‘well’ (really).": "Hello, she said, well, really.",
    '"Stop!" he said.': "Stop! he said.",
    "Don’t, it's the dogs'": "Don't, it's the dogs",
    "Well... maybe…": "Well, maybe.",
    "Fine 👍🏽 👩‍👩‍👧.": "Fine.",
    "😀": "",
    "What?!": "What?",
    # markdown
    "**Bold**, *it* and `code`": "Bold, it and code",
    "[the link](http://a.b/c)": "the link",
    "# Heading": "Heading",
    "- an item": "an item",
    "1. First": "one, First",
    "> quoted": "quoted",
    "| a | b |\n|---|---|\n| c | d |": "a, b, c, d",
    "---": "",
    "snake_case": "snake case",
    "2 * 3": "two times three",
    "": "",
}
OTHERS = {
    ("de", "Es kostet 1.234,50."): "Es kostet eintausendzweihundertvierunddreißig Komma fünf.",
    ("fr-FR", "Il y a 21 chats et 1 000 chiens."): "Il y a vingt et un chats et mille chiens.",
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


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_said_as_people_say_it(text: str) -> None:
    assert normalize(text) == ENGLISH[text]


@pytest.mark.parametrize("text", ENGLISH)
def test_what_is_in_words_stays(text: str) -> None:
    assert normalize(ENGLISH[text]) == ENGLISH[text]


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


UNITS = ["1.", "1,", "$", "a.", "a@", "-", "(", "*", "[a](", "http://", " ", "😀", "```", "|", "<b>", "<a.", "'s", "… ", "5th "]


def test_a_megabyte_of_digits_is_no_trouble() -> None:
    # A quadratic pattern would need hours here: the limit on every test is the assertion.
    assert len(normalize("1" * 1_000_000).split()) == 1_000_000


@pytest.mark.parametrize("unit", UNITS)
def test_hundred_thousand_characters_of_one_kind_are_no_trouble(unit: str) -> None:
    said = normalize(unit * (100_000 // len(unit)))
    assert not set(said) & set("<>|`*(")
