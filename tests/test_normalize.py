"""What is written and what is said."""

from __future__ import annotations

import re

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
    "$.50 or $.05 or $.5": "fifty cents or five cents or zero point five dollars",
    "$5-$10": "five dollars to ten dollars",
    "US$5 and A$2": "five US dollars and two Australian dollars",
    # spaces and the like between thousands
    "1 000 000 people": "one million people",
    "1 000 km or 12\u202f500 m": "one thousand kilometers or twelve thousand five hundred meters",
    "1_000 and 2'500": "one thousand and two thousand five hundred",
    "room 3 has 200 seats, 5 100": "room three has two hundred seats, five thousand one hundred",
    "in 2024 100 people": "in twenty twenty-four one hundred people",
    "555 123 4567": "five hundred and fifty-five one hundred and twenty-three four thousand five hundred and sixty-seven",
    # seconds, or the years of a decade
    "Wait 30s.": "Wait thirty seconds.",
    "a 60s timeout, in 10s": "a sixty seconds timeout, in ten seconds",
    "in the '60s, her 20s and 30s": "in the sixties, her twenties and thirties",
    "the 60s, 70s and late 80s": "the sixties, seventies and late eighties",
    "the late 80s, 90's and mid-2020s": "the late eighties, nineties and mid-twenty twenties",
    "the 60s timeout": "the sixty seconds timeout",
    "1960s cars and 80s music": "nineteen sixties cars and eighties music",
    "100s of people, 10s of thousands": "hundreds of people, tens of thousands",
    # durations
    "3h 20m": "three hours twenty minutes",
    "1h30, 1h05m, 2d 4h": "one hour thirty minutes, one hour five minutes, two days four hours",
    "2-3h or 1h-2h": "two to three hours or one hour to two hours",
    "1m 30s or 90 secs": "one minute thirty seconds or ninety seconds",
    "20m away": "twenty meters away",
    # ranges
    "10:30-11:45": "ten thirty to eleven forty-five",
    "10:30 – 11:45": "ten thirty to eleven forty-five",
    "9am-5pm or 9-5pm": "nine AM to five PM or nine to five PM",
    "3 p.m.-4 p.m.": "three PM to four PM.",
    "May 5-7 or 5-7 May": "May fifth to seventh or May fifth to seventh",
    "5%-10%, 5km-10km": "five percent to ten percent, five kilometers to ten kilometers",
    # units
    "5m, 5 m and 5M": "five meters, five meters and five million",
    "5M-10M people": "five million to ten million people",
    "mp3s and 5 Mb/s": "mp three s and five megabits per second",
    "3M and a 10K run": "three M and a ten K run",
    "5g of 5G": "five grams of five G",
    "8gb, 10KM, 10Kg, 2 MIN": "eight gigabytes, ten kilometers, ten kilograms, two minutes",
    "8 Gb of 5 Nm": "eight gigabits of five newton meters",
    "3 l, 5L, 20 ML": "three liters, five liters, twenty milliliters",
    "5 µm in 3 μs": "five micrometers in three microseconds",
    "10 m/s²": "ten meters per second squared",
    "6 ft 2 in": "six feet two inches",
    "60fps at 3kΩ": "sixty frames per second at three kilohms",
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
    "a V8 engine": "a V eight engine",
    "V1.2, v2 and version v3": "version one point two, version two and version three",
    # powers
    "10³ and x²": "ten cubed and x squared",
    "10⁻³ or 2ⁿ⁺¹": "ten to the power of minus three or two to the power of n plus one",
    "Na⁺ at 0x1F": "Na plus at zero x one F",
    "a²+b²": "a squared plus b squared",
    "5 m², 2 m³": "five square meters, two cubic meters",
    "H₂O and CO₂": "H two O and CO two",
    "1.5e-3 and 1e6": "one point five times ten to the power of minus three and one times ten to the power of six",
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
    "a -> b, x != y": "a to b, x is not y",
    "x <= 5": "x at most five",
    "50/50, 9/11": "fifty fifty, nine eleven",
    "1-800-555-1234": "one, eight zero zero, five five five, one two three four",
    # angle brackets: tags, places to fill in, types, comparisons
    "<b>bold</b>, <br/><IMG SRC='a'> x": "bold, x",
    "x <!-- y --> z": "x z",
    "replace <name> with yours": "replace name with yours",
    "use vector<int> here": "use vector of int here",
    "Map<K,V> or List<List<T>>": "Map of K, V or List of List of T",
    "if a <b and c> d": "if a less than b and c greater than d",
    "1<2 and a<b": "one less than two and a less than b",
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
]


def test_a_megabyte_of_digits_is_no_trouble() -> None:
    # A quadratic pattern would need hours here: the limit on every test is the assertion.
    assert len(normalize("1" * 1_000_000).split()) == 1_000_000


@pytest.mark.parametrize("unit", UNITS)
def test_hundred_thousand_characters_of_one_kind_are_no_trouble(unit: str) -> None:
    said = normalize(unit * (100_000 // len(unit)))
    assert not set(said) & set("<>|`*(")
