"""What of an answer was heard after so many seconds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Audio
from voice.speak import SentenceAudio, SentenceEnded, SentenceStarted
from voice.spoken import Spoken
from voice.words import WrittenWord

RATE = 1000


def told(sentences: list[str], seconds: float = 1.0, *, words: bool = True) -> Spoken:
    """Every sentence takes so many seconds, and every word of it as long as its characters are."""
    spoken, at, clock = Spoken(), 0, 0.0
    for index, text in enumerate(sentences):
        spoken.tell(SentenceStarted(index, text, text, at))
        audio = Audio(np.ones(round(seconds * RATE), np.int16), RATE)
        spoken.tell(SentenceAudio(index, audio, clock, tuple(times(text, at, clock, seconds)) if words else ()))
        spoken.tell(SentenceEnded(index, seconds))
        at, clock = at + len(text), clock + seconds
    return spoken


def times(text: str, at: int, clock: float, seconds: float) -> list[WrittenWord]:
    found, place = [], 0
    for word in text.split():
        place = text.index(word, place)
        start, end = (clock + seconds * point / len(text) for point in (place, place + len(word)))
        found.append(WrittenWord(word, at + place, start, end))
        place += len(word)
    return found


ANSWER = ["It is late. ", "Go home now."]


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        (0.0, ""),
        (0.1, ""),
        (0.2, "It"),
        (0.5, "It is"),
        (1.0, "It is late."),
        (1.3, "It is late. Go"),
        (2.0, "It is late. Go home now."),
        (9, "It is late. Go home now."),
    ],
)
def test_words_count_once_they_were_heard_to_their_end(seconds: float, heard: str, words: bool) -> None:
    assert told(ANSWER, words=words).heard(seconds) == heard


def test_what_was_not_begun_was_not_heard() -> None:
    spoken = told(ANSWER[:1])
    spoken.tell(SentenceStarted(1, "Go home now.", "Go home now.", len(ANSWER[0])))
    assert spoken.heard(100) == "It is late."
    assert spoken.text == "It is late. Go home now."


def test_a_sentence_that_is_not_spoken_is_heard_with_the_one_before_it() -> None:
    spoken = told(["Look! "])
    spoken.tell(SentenceStarted(1, "🎉 ", "", 6))
    spoken.tell(SentenceEnded(1, 0.0))
    assert spoken.heard(1.0) == "Look! 🎉"
    assert spoken.heard(0.5) == ""


@given(st.lists(st.text("ab c.", min_size=1), max_size=5), st.floats(0, 10), st.floats(0, 10), st.booleans())
def test_more_time_is_more_text_and_all_of_it_is_a_beginning(sentences: list[str], one: float, other: float, words: bool) -> None:
    spoken = told(sentences, words=words)
    less, more = spoken.heard(min(one, other)), spoken.heard(max(one, other))
    assert more.startswith(less)
    assert "".join(sentences).startswith(more)
    assert spoken.heard(spoken.seconds + 1) == "".join(sentences).rstrip()


def test_of_a_sentence_in_the_making_is_heard_what_so_many_seconds_have_room_for() -> None:
    """The end of its audio is not known yet, and the beginning is not all of it."""
    spoken = told([sentence := "One two three four five six seven eight. "], 4.0, words=False)
    spoken.tell(SentenceStarted(1, sentence, sentence, len(sentence)))
    spoken.tell(SentenceAudio(1, Audio(np.ones(RATE, np.int16), RATE), 4.0))
    assert spoken.heard(5.0) == sentence + "One two"


def test_the_first_sentence_in_the_making_is_heard_as_fast_as_most_people_speak() -> None:
    spoken = Spoken()
    spoken.tell(SentenceStarted(0, text := "One two three four five six seven eight nine ten.", text, 0))
    spoken.tell(SentenceAudio(0, Audio(np.ones(RATE, np.int16), RATE), 0.0))
    assert spoken.heard(1.0) == "One two three"


def test_the_pause_before_a_sentence_is_no_part_of_it() -> None:
    spoken = told(["It is late. "], words=False)
    spoken.tell(SentenceStarted(1, "Go home now.", "Go home now.", 12))
    spoken.tell(SentenceAudio(1, Audio(np.zeros(RATE, np.int16), RATE), 1.0))
    assert spoken.heard(2.0) == "It is late."
