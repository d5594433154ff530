"""Text goes in, in whatever pieces; sentences come out, soon and whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.sentences import MAX_CHARACTERS, SentenceSplitter, split

CASES = {
    "Dr. Smith went home. It is late.": ["Dr. Smith went home. ", "It is late."],
    "It was 98.6 degrees. She slept.": ["It was 98.6 degrees. ", "She slept."],
    "He paid $1,000.50 for it. Why?": ["He paid $1,000.50 for it. ", "Why?"],
    "Fruit, e.g. apples, i.e. Malus. Next.": ["Fruit, e.g. apples, i.e. Malus. ", "Next."],
    "He came at 5 p.m. on Monday. Then he left.": ["He came at 5 p.m. on Monday. ", "Then he left."],
    "See https://a.com/x?y=1. And mail a.b@c.org. Bye.": ["See https://a.com/x?y=1. ", "And mail a.b@c.org. ", "Bye."],
    "Take v1.0.0. Costs $4.50!": ["Take v1.0.0. ", "Costs $4.50!"],
    "The U.S. is big. Mr. T agrees.": ["The U.S. is big. ", "Mr. T agrees."],
    "It is approx. 5 km. Go.": ["It is approx. 5 km. ", "Go."],
    '"Stop! Now." he said. "Go." Then he left.': ['"Stop! Now." he said. ', '"Go." ', "Then he left."],
    "I left (it rained. A lot.) and slept. Bye.": ["I left (it rained. A lot.) and slept. ", "Bye."],
    "Run `a. B` now. Then stop.": ["Run `a. B` now. ", "Then stop."],
    "```\nx = 1. Y\n\nz\n``` Done. Go.": ["```\nx = 1. Y\n\nz\n``` Done. ", "Go."],
    'A 5" disk. A 3" one.': ['A 5" disk. ', 'A 3" one.'],
    "Sad :( but true. Yes.": ["Sad :( but true. ", "Yes."],
    "Well... maybe. Yes!": ["Well... maybe. ", "Yes!"],
    "A title\n\nThe text goes on.\n\n\nEnd": ["A title\n\n", "The text goes on.\n\n", "\nEnd"],
    "# Title\nText wrapped\nby hand. End.": ["# Title\n", "Text wrapped\nby hand. ", "End."],
    "Do:\n1. Eat it\n2. Sleep\n- rest": ["Do:\n", "1. Eat it\n", "2. Sleep\n", "- rest"],
    "**Bold one.** Next one.": ["**Bold one.** ", "Next one."],
    "你好。今天天气很好！你呢？": ["你好。", "今天天气很好！", "你呢？"],
    "他说：“好。我来。”然后走了。完": ["他说：“好。我来。”", "然后走了。", "完"],
    "नमस्ते। आप कैसे हैं? ठीक।": ["नमस्ते। ", "आप कैसे हैं? ", "ठीक।"],
    "كيف حالك؟ أنا بخير.": ["كيف حالك؟ ", "أنا بخير."],
    "Что? Да. Хорошо!": ["Что? ", "Да. ", "Хорошо!"],
    "": [],
    "   ": ["   "],
}
PARTS = [
    "Dr. ",
    "U.S. ",
    "3.14",
    "1,000 ",
    '"',
    "'",
    "(",
    ")",
    "“",
    "”",
    "`",
    "```",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "。",
    "！",
    "」",
    "「",
    "...",
    "…",
]
PARTS += [
    ". ",
    "! ",
    "? ",
    ", ",
    "; ",
    "，",
    "Hello",
    " world",
    " the",
    "你好",
    "https://a.b/c?d ",
    "#",
    "*",
    " ",
    "x",
    "é",
    "नमस्ते। ",
    "a" * 90,
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=60).map("".join) | st.text(max_size=200)


@pytest.mark.parametrize("text", CASES)
def test_sentences_end_where_a_reader_would_stop(text: str) -> None:
    assert split(text) == CASES[text]


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_cuts_do_not_matter_and_nothing_is_lost(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
    splitter = SentenceSplitter()
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = [sentence for piece in pieces for sentence in splitter.feed(piece)] + splitter.flush()
    assert found == split(text)
    assert "".join(found) == text
    assert all(len(sentence) <= MAX_CHARACTERS + 8 for sentence in found)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_one_character_at_a_time_is_the_same(text: str) -> None:
    splitter = SentenceSplitter()
    assert [s for c in text for s in splitter.feed(c)] + splitter.flush() == split(text)


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


@pytest.mark.parametrize("unit", ["1", " ", "(", "\n", ".", '"', "a. ", ". \n"])
def test_a_hundred_thousand_characters_of_one_kind_are_split(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert "".join(split(text)) == text
