"""Text goes in, in whatever pieces; sentences come out, soon and whole."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import table
from voice.sentences import LOOK, MAX_CHARACTERS, SentenceSplitter, split

TABLE = table("sentences")
CASES = [
    pytest.param(language, text, id=f"{language}-{subject}-{text[:30]}")
    for language, subjects in TABLE.items()
    for subject, texts in subjects.items()
    for text in texts
]
# Signs that a splitter looks at, in every order: also halves of marks, as tokens cut them.
PARTS = [
    *(
        "Dr. ",
        "U.S. ",
        "p.m. ",
        "no. ",
        "St. ",
        "z. B. ",
        "EST",
        "He",
        "Then",
        "T",
        "x",
        "ok",
        "Hello",
        " world",
        " the",
        "3.",
        "5 ",
        "3.14",
        "1,000 ",
    ),
    *(
        '"',
        "'",
        "“",
        "”",
        "„",
        "‘",
        "«",
        "»",
        " »",
        "(",
        ")",
        "[2]",
        "[^",
        "]",
        "`",
        "``",
        "```",
        "*",
        "_",
        "- ",
        "1. ",
        "a) ",
        "# ",
        "|",
        "> ",
    ),
    *(
        ".",
        "!",
        "?",
        ". ",
        "! ",
        "? ",
        ", ",
        "; ",
        ": ",
        "...",
        "…",
        "。",
        "！",
        "？",
        "，",
        "、",
        "」",
        "「",
        "と",
        "你好",
        "नमस्ते। ",
        "डॉ. ",
        "س؟ ",
    ),
    *(" ", "  ", "\n", "\n\n", "https://a.b/c?d ", "😀", "é", "e\u0301", "\u200d", "a" * 90, "word " * 60),
]
LANGUAGES = st.sampled_from(["en", "de", "fr", "ru", "ja", "el", "xx"])
TEXTS = st.lists(st.sampled_from(PARTS), max_size=60).map("".join) | st.text(max_size=200)


@pytest.mark.parametrize(("language", "text"), CASES)
def test_sentences_end_where_a_reader_would_stop(language: str, text: str) -> None:
    wanted = text.split("‖")
    assert split("".join(wanted), language) == wanted


def test_the_table_is_as_wide_as_it_should_be() -> None:
    assert len(CASES) >= 150
    assert len(TABLE) >= 12


@settings(max_examples=500, deadline=None)
@given(TEXTS, LANGUAGES, st.booleans(), st.data())
def test_cuts_do_not_matter_and_nothing_is_lost(text: str, language: str, clause_first: bool, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = sentences(pieces, language, clause_first)
    assert found == sentences([text], language, clause_first)
    assert "".join(found) == text
    assert all(len(sentence) <= MAX_CHARACTERS + LOOK for sentence in found)


@settings(max_examples=200, deadline=None)
@given(TEXTS, LANGUAGES)
def test_one_character_at_a_time_is_the_same(text: str, language: str) -> None:
    assert sentences(text, language) == split(text, language)


@pytest.mark.parametrize(("language", "text"), CASES)
def test_every_text_of_the_table_is_split_alike_character_by_character(language: str, text: str) -> None:
    wanted = text.split("‖")
    assert sentences("".join(wanted), language) == wanted


@settings(max_examples=200, deadline=None)
@given(TEXTS, LANGUAGES, st.data())
def test_what_is_given_when_nothing_comes_is_not_given_again(text: str, language: str, data: st.DataObject) -> None:
    splitter = SentenceSplitter(language)
    found = []
    for character in text:
        found += splitter.feed(character)
        found += splitter.idle() if data.draw(st.booleans()) else []
    assert "".join(found + splitter.flush()) == text


def sentences(pieces: Iterable[str], language: str, clause_first: bool = False) -> list[str]:
    splitter = SentenceSplitter(language, clause_first=clause_first)
    return [sentence for piece in pieces for sentence in splitter.feed(piece)] + splitter.flush()


def test_a_sentence_comes_once_the_next_has_begun() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Hello there. ") == []
    assert splitter.feed("H") == ["Hello there. "]


def test_chinese_and_paragraphs_do_not_wait() -> None:
    assert SentenceSplitter("zh").feed("你好。") == ["你好。"]
    assert SentenceSplitter().feed("A title\n\n") == ["A title\n\n"]


def test_an_open_quote_holds_but_not_for_ever() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed('He said: "One. Two. ') == []
    assert splitter.feed("So it goes. " * 40) != []


def test_a_long_sentence_breaks_at_a_clause() -> None:
    text = "and so on it went without an end in sight, " * 20
    assert all(sentence.endswith(", ") and len(sentence) <= MAX_CHARACTERS for sentence in split(text))


def test_the_first_fragment_may_end_at_a_clause() -> None:
    splitter = SentenceSplitter(clause_first=True)
    assert splitter.feed("Well, the weather in Paris is nice today, so we go out, all of us. N") == [
        "Well, the weather in Paris is nice today, ",
        "so we go out, all of us. ",
    ]


def test_what_looks_complete_is_given_when_nothing_comes() -> None:
    splitter = SentenceSplitter()
    assert (splitter.feed("I see."), splitter.idle(), splitter.flush()) == ([], ["I see."], [])


@pytest.mark.parametrize("text", ["I see Dr.", "It costs 3.", "He (I see.", "I see", "", "e.g."])
def test_what_may_go_on_is_kept_when_nothing_comes(text: str) -> None:
    splitter = SentenceSplitter()
    splitter.feed(text)
    assert splitter.idle() == []


def test_a_splitter_can_be_used_again() -> None:
    splitter = SentenceSplitter("en-US")
    assert [splitter.feed("One. Two") + splitter.flush() for _ in range(2)] == [["One. ", "Two"]] * 2


def test_a_long_block_of_code_does_not_swallow_what_follows() -> None:
    code = "```python\n" + "".join(f"x{number} = y.z{number}\n" for number in range(60)) + "```\n"
    assert split(f"Here it is:\n\n{code}Done. Now run it.")[-2:] == ["Done. ", "Now run it."]


FLOODS = [
    "1",
    "1,",
    "1.",
    " ",
    "(",
    ")",
    "[",
    "\n",
    "\n\n",
    ".",
    ". ",
    '"',
    "'",
    "“",
    "`",
    "```",
    "a",
    "a.",
    "A. ",
    ",",
    ", ",
    "!",
    "。",
    "、",
    "://a.",
]
FLOODS += ["://a.", "- ", "| ", "[1] ", ".[1", "e\u0301", "\u0301", "你", "Dr. ", "a) ", "https://a.b/c?d "]


@pytest.mark.parametrize("unit", FLOODS)
def test_a_megabyte_of_one_kind_is_split(unit: str) -> None:
    # Quadratic work would need hours here: the limit on every test is the assertion.
    text = unit * (1_000_000 if len(unit) == 1 else 50_000)
    assert "".join(sentences((text[start : start + 1000] for start in range(0, len(text), 1000)), "en")) == text
