"""The pauses between sentences, and when the words around them are heard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from models.base import Audio, SpeechJob, Word
from tests.speaking import Engine, events, texts
from voice.schedule import Scheduler
from voice.sentences import CLAUSES, WIDE_CLAUSES
from voice.speak import SentenceAudio, pause_after

pytestmark = pytest.mark.anyio


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(Engine(), max_waiting=4)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Yes. ", 0.3),
        ("Really?! ", 0.3),
        ("本当。", 0.3),
        ('He said "no." ', 0.3),
        ("「はい。」", 0.3),
        ("- milk\n", 0.3),
        ("well, ", 0.15),
        ("you: ", 0.2),
        ("Wait... ", 0.4),
        ("Wait… ", 0.4),
        ("# Title\n", 0.6),
        ("Title\n\n", 0.6),
        ("Yes. \n \n", 0.6),
        ("and so they went on ", 0.0),
    ],
)
def test_a_reader_pauses_by_the_punctuation(text: str, seconds: float) -> None:
    assert pause_after(text) == seconds


class Telling(Engine):
    """A second for every sentence, half of which its words take, evenly."""

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        words = job.text.split()
        each = 0.5 / len(words)
        times = tuple(Word(word, 0.25 + number * each, 0.25 + (number + 1) * each) for number, word in enumerate(words))
        yield Audio(np.ones(1000, np.int16), 1000, times)


async def test_written_words_are_told_where_they_stand_and_when_they_are_heard() -> None:
    text = "**One** of 2. Two."
    found = await events(text, Scheduler(Telling(), 8), words=True)
    words = [(event.index, word) for event in found if isinstance(event, SentenceAudio) for word in event.words]
    assert [(index, word.text) for index, word in words] == [(0, "One"), (0, "of"), (0, "2"), (1, "Two")]
    assert [word.end - word.start for _, word in words] == pytest.approx([0.5 / 3] * 3 + [0.5])
    assert all(text[word.at :].startswith(word.text) for _, word in words)
    assert (words[0][1].start, words[3][1].start) == (0.25, 1.55)  # a pause is between the sentences


async def test_words_are_not_looked_for_unless_asked(scheduler: Scheduler) -> None:
    found = await events("One. Two.", Scheduler(Telling(), 8))
    assert [event.words for event in found if isinstance(event, SentenceAudio) and event.words] == []


@pytest.mark.parametrize("mark", CLAUSES + WIDE_CLAUSES)
def test_every_mark_that_may_end_a_fragment_is_shorter_than_the_end_of_a_sentence(mark: str) -> None:
    assert 0 < pause_after(f"so{mark} ") < pause_after("so. ")


async def test_pauses_go_with_the_speed(scheduler: Scheduler) -> None:
    for speed in (0.5, 2.0):
        pieces = [event.audio for event in await events("One. Two.", scheduler, speed=speed) if isinstance(event, SentenceAudio)]
        assert [len(audio.samples) for audio in pieces] == [10, 300 / speed, 10]


async def test_a_sentence_broken_for_its_length_has_no_pause_inside(scheduler: Scheduler) -> None:
    found = await events("and on " * 60, scheduler)
    assert len(texts(found)) > 1
    assert all(event.audio.samples.all() for event in found if isinstance(event, SentenceAudio))
