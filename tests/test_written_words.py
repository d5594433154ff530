"""Which written word is heard when: by table, and as properties of any text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Word
from voice.normalize import normalize
from voice.words import WordTimes, WrittenWord

PROSE = ["house", "Anna", "it's", "well,", "**bold**", "_so_", "(there)", "“quoted”", "end.", "why?", "one", "One"]
NUMBERS = ["$42.50", "10", "000", "5-7", "3°C", "100%", "9:30am", "2024-05-06", "1,234.5", "v1.2.3", "$5", "million", "5", "km", "½", "-5"]
SHORT = ["Dr.", "St.", "e.g.", "and/or", "w/o", "C++", "U.S.", "No.", "Jan", "https://x.org/a?b=1", "joe@x.org", "List<T>"]
SILENT = ["😀", "—", "#", "***", "|", "<br>", "👩‍👩‍👧", "…", "->", "&", "`x`", "[docs](https://x.y/z)"]


def told(text: str, language: str = "en", cut: Callable[[str], list[str]] = str.split, each: int | None = None) -> list[WrittenWord]:
    """Word `n` is spoken from second n to n + 1; so many are told at a time, or all at once."""

    def say(sentence: str) -> str:
        return normalize(sentence, language)

    spoken = say(text)
    words = [Word(word, number, number + 1) for number, word in enumerate(cut(spoken))]
    times = WordTimes(text, spoken, say)
    step = each or len(words) or 1
    return [word for start in range(0, len(words), step) for word in times.tell(words[start : start + step])]


def spans(text: str, **options: object) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for word in told(text, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.", [("Hello", 1), ("there", 1)]),
        ("It costs $42.50 today.", [("It", 1), ("costs", 1), ("$42.50", 5), ("today", 1)]),
        ("Dr. Smith, Elm St. now", [("Dr", 1), ("Smith", 1), ("Elm", 1), ("St", 1), ("now", 1)]),
        ("The **bold text** and `code`!", [("The", 1), ("bold", 1), ("text", 1), ("and", 1), ("code", 1)]),
        ("Hello 😀 world 👋🏽!", [("Hello", 1), ("world", 1)]),
        ("# Title\n\n- item one\n", [("Title", 1), ("item", 1), ("one", 1)]),
        ("See [the docs](https://x.y/z) please.", [("See", 1), ("the", 1), ("docs", 1), ("please", 1)]),
        ('A <b class="x">tag</b> here<br>', [("A", 1), ("tag", 1), ("here", 1)]),
        ("A — B—C -- D", [("A", 1), ("B", 1), ("C", 1), ("D", 1)]),
        ("It’s 9:30am—go.", [("It’s", 1), ("9:30am", 3), ("go", 1)]),
        ("Mail <joe@x.org> now.", [("Mail", 1), ("joe@x.org", 5), ("now", 1)]),
        ("10 000 people", [("10", 1), ("000", 1), ("people", 1)]),
        ("On Jan 5-7, 2024 we met.", [("On", 1), ("Jan", 1), ("5-7", 3), ("2024", 2), ("we", 1), ("met", 1)]),
        ("For $5 million now", [("For", 1), ("$5 million", 3), ("now", 1)]),
        ("It is version v1.2 already", [("It", 1), ("is", 1), ("version v1.2", 4), ("already", 1)]),
        ("100% of C++ & -5°C", [("100%", 3), ("of", 1), ("C++", 3), ("&", 1), ("-5°C", 4)]),
        ("one 1 one", [("one", 1), ("1", 1), ("one", 1)]),
        ("and/or else", [("and/or", 2), ("else", 1)]),
        ("***", []),
        ("", []),
    ],
)
def test_a_written_word_has_the_time_of_all_that_it_is_read_as(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(word, end - start) for word, start, end in spans(text)] == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Ich habe 3,5 Äpfel.", "de", [("Ich", 1), ("habe", 1), ("3,5", 3), ("Äpfel", 1)]),
        ("मैं ठीक हूँ।", "hi", [("मैं", 1), ("ठीक", 1), ("हूँ", 1)]),
        ("مرحبا بالعالم", "ar", [("مرحبا", 1), ("بالعالم", 1)]),
        ("你好，世界。", "zh", [("你好，世界", 1)]),
    ],
)
def test_words_of_other_languages(text: str, language: str, expected: list[tuple[str, int]]) -> None:
    assert [(word, end - start) for word, start, end in spans(text, language=language)] == expected


def test_a_script_without_blanks_has_the_words_that_the_engine_tells() -> None:
    assert spans("3月に会う。", language="ja", cut=list) == [("3", 0, 1), ("月", 1, 2), ("に", 2, 3), ("会", 3, 4), ("う", 4, 5)]
    assert spans("你好，世界", language="zh", cut=lambda spoken: ["你好", "，", "世界"]) == [("你好", 0, 1), ("世界", 2, 3)]


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda spoken: spoken.lower().split(), id="lower case"),
        pytest.param(lambda spoken: [word.strip(".,") for word in spoken.split()], id="without punctuation"),
        pytest.param(lambda spoken: spoken.replace(".", " .").replace(",", " ,").split(), id="punctuation apart"),
        pytest.param(lambda spoken: spoken.replace("-", " - ").split(), id="parts of words"),
    ],
)
def test_an_engine_may_cut_its_words_otherwise(cut: Callable[[str], list[str]]) -> None:
    assert [word for word, _, _ in spans("It was 42, I am sure. I am.", cut=cut)] == ["It", "was", "42", "I", "am", "sure", "I", "am"]


def test_a_word_that_the_engine_leaves_out_is_left_out() -> None:
    assert [word for word, _, _ in spans("We went home by train.", cut=lambda _: ["We", "home", "train"])] == ["We", "home", "train"]


def texts() -> st.SearchStrategy[str]:
    known = st.lists(st.sampled_from(PROSE + NUMBERS + SHORT + SILENT), max_size=12).map(" ".join)
    return st.one_of(known, st.text(max_size=60), st.text("ab $5.,-*_`<>[](){}#|/日本 ก\n", max_size=60))


@given(text=texts(), each=st.integers(1, 4), language=st.sampled_from(["en", "de", "ja", "xx"]))
def test_words_are_slices_in_order_of_text_and_of_time(text: str, each: int, language: str) -> None:
    words = told(text, language)
    assert all(word.text and word.text == text[word.at : word.at + len(word.text)] for word in words)
    assert all(one.at + len(one.text) <= other.at and one.end <= other.start for one, other in pairwise(words))
    assert all(0 <= word.start < word.end <= len(normalize(text, language).split()) for word in words)
    assert told(text, language, each=each) == words


@given(words=st.lists(st.sampled_from(PROSE + NUMBERS + SHORT), min_size=1, max_size=12, unique=True))
def test_every_word_is_told_once(words: list[str]) -> None:
    """Some beside a number with it; none twice, and none left out."""
    text = " ".join(words)
    covered = {place for word in told(text) for place in range(word.at, word.at + len(word.text))}
    assert all(covered & set(range(at, at + len(word))) for word, at in zip(words, _places(words), strict=True))


def _places(words: list[str]) -> Iterator[int]:
    at = 0
    for word in words:
        yield at
        at += len(word) + 1
