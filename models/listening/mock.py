"""A listener that hears what it was told to hear, or prose, behind the same worker process as Whisper. Needs numpy and nothing else."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import LISTENING_RATE, Heard, Language, ListeningJob, Segment, Word
from models.errors import EngineFailed
from models.mock_faults import fail
from models.text.mock_prose import prose

WORDS_PER_SECOND = 2.5
HALF_SURE = 0.02
"""Of full scale: the root mean square of a window that may as well be speech as not."""
_STEP = 0.02


class MockListener:
    """`config` is settings.MockListening as a dict."""

    model = "mock-listening"
    device = "mock"
    threads = 1

    def __init__(self, config: dict[str, Any]) -> None:
        self._work = float(config.get("realtime_factor", 0.0))
        self._replies = iter(config.get("replies", ()))
        self._fault: dict[str, Any] = {"kind": "none", "after": 3, "match": "", **config.get("fault", {})}
        time.sleep(float(config.get("load_seconds", 0.0)))

    def transcribe(self, job: ListeningJob, cancelled: Callable[[], bool]) -> Iterator[Heard | None]:
        """A segment to a sentence; the fault that was asked for is that of jobs whose prompt has its `match` in it."""
        fault = self._fault["kind"] if self._fault["match"] in job.prompt else "none"
        if fault == "before_first":
            raise EngineFailed("the mock listening engine fails before the first segment, as it was told to")
        yield Language(job.language or "en", 1.0 if job.language else 0.9)
        told = 0
        for told, segment in enumerate(_segments(self._text(job), job), 1):
            if told > self._fault["after"]:
                yield from fail(fault, "listening", cancelled)
            yield from self._listen(segment.end - segment.start, cancelled)
            yield segment
        if fault != "none" and told <= self._fault["after"]:
            yield from fail(fault, "listening", cancelled)

    def detector(self) -> Callable[[NDArray[np.float32]], float]:
        return loudness

    def _text(self, job: ListeningJob) -> str:
        """Silence has none, and takes none of the replies."""
        if not len(job.samples) or loudness(job.samples) < 0.05:
            return ""
        return next(self._replies, None) or _prose(job.samples)

    def _listen(self, seconds: float, cancelled: Callable[[], bool]) -> Iterator[None]:
        until = time.monotonic() + seconds * self._work
        while (left := until - time.monotonic()) > 0 and not cancelled():
            time.sleep(min(left, _STEP))
            yield None


def loudness(window: NDArray[np.float32]) -> float:
    """0 for silence, a half at HALF_SURE, near 1 for a voice or a tone: the mock's probability of speech."""
    energy = float(np.sqrt(np.mean(np.square(window, dtype=np.float64))))
    return energy / (energy + HALF_SURE)


def _prose(samples: NDArray[np.float32]) -> str:
    """The same for the same audio, and as long as it."""
    words = max(1, round(len(samples) / LISTENING_RATE * WORDS_PER_SECOND))
    tokens = "".join(islice(prose(str(zlib.crc32(samples.tobytes())), 2 * words), 3 * words)).split()
    return " ".join(tokens[:words]).rstrip(".") + "."


def _segments(text: str, job: ListeningJob) -> Iterator[Segment]:
    """A sentence each, and as long as its characters are in the whole."""
    seconds = len(job.samples) / LISTENING_RATE / max(len(text), 1)
    at = 0
    for sentence in _sentences(text):
        words = tuple(_words(sentence, at, seconds)) if job.words else ()
        yield Segment(sentence, at * seconds, (at + len(sentence)) * seconds, words, tuple(sentence.encode()), avg_logprob=-0.2)
        at += len(sentence)


def _sentences(text: str) -> Iterator[str]:
    """Joined they are the text; each but the first begins with its space, as Whisper's segments do."""
    begin = 0
    while begin < len(text):
        end = text.find(". ", begin) + 1 or len(text)
        yield text[begin:end]
        begin = end


def _words(sentence: str, at: int, seconds: float) -> Iterator[Word]:
    for word in re.finditer(r"\S+", sentence):
        yield Word(word[0], (at + word.start()) * seconds, (at + word.end()) * seconds)
