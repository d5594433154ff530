"""Is the speaker done? By what was said."""

from __future__ import annotations

import pytest

from voice.finished import LONGEST, SHORTEST, finished, patience


@pytest.mark.parametrize(
    "text",
    [
        "What is the weather like today?",
        "Turn the light on.",
        "Yes.",
        "Come in.",
        "I don't feel well.",
        'He said "stop."',
        "Stop!",
        "I know who you are.",
        "What are you waiting for?",
        "Do you take tea, or?",
        "今日はいい天気です。",
        "هل أنت هنا؟",
    ],
)
def test_done(text: str) -> None:
    assert finished(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "...",
        "I would like to order a pizza and.",
        "Well, um.",
        "Put it next to the.",
        "I was thinking...",
        "First of all,",
        "so what I mean",
        "Tell him I'm.",
        "The thing is—",
        "What is the?",
    ],
)
def test_not_done(text: str) -> None:
    assert not finished(text)


def test_each_language_has_its_own_words() -> None:
    assert finished("I saw the dice und.", "en")
    assert not finished("Ich gehe nach Hause und.", "de-DE")
    assert not finished("Je voudrais une.", "fr")
    assert finished("Cuando und.", "xx")


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_who_is_done_is_answered_sooner(eagerness: str) -> None:
    assert patience("It is late.", eagerness) == SHORTEST[eagerness]
    assert patience("It is late and", eagerness) == LONGEST[eagerness]


def test_the_more_eager_the_sooner() -> None:
    assert LONGEST["high"] < LONGEST["medium"] == LONGEST["auto"] < LONGEST["low"]
    assert SHORTEST["high"] < SHORTEST["medium"] == SHORTEST["auto"] < SHORTEST["low"]
