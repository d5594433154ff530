"""A tone for every sentence, behind the same worker process as the real voices. Deterministic; needs numpy and nothing else."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import Audio, SpeechJob, Voice, Word
from models.errors import EngineFailed
from models.mock_faults import fail

VOICES = ("mock-low", "mock-high")
SECONDS_PER_CHARACTER = 0.06
_WINDOW = 0.1
_FADE = 0.005
_LOUDNESS = 8000


def frequency(voice: str) -> float:
    """Pitch of a voice in Hz, 200 to 999, by its name alone: who hears a tone knows whose it is."""
    return 200.0 + zlib.crc32(voice.encode()) % 800


def duration(text: str, speed: float = 1.0) -> float:
    """Seconds of the tone for a text."""
    return max(_WINDOW, SECONDS_PER_CHARACTER * len(text) / speed)


class MockRenderer:
    """`config` is settings.MockSpeech as a dict, and optionally `voices`, the names to have."""

    device = "mock"
    threads = 1

    def __init__(self, config: dict[str, Any]) -> None:
        self._rate = int(config.get("rate", 24000))
        self._work = float(config.get("realtime_factor", 0.0))
        self._fault: dict[str, Any] = {"kind": "none", "after": 3, "match": "", **config.get("fault", {})}
        self._names = tuple(config.get("voices", VOICES))
        time.sleep(float(config.get("load_seconds", 0.0)))

    def voices(self) -> tuple[Voice, ...]:
        return tuple(
            Voice(name, "mock-speech", "en", self._rate, "CC0-1.0", f"a tone of {frequency(name):.0f} Hz", word_times=True)
            for name in self._names
        )

    def room(self, job: SpeechJob) -> None:
        return None

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        """Windows of 100 ms, then the fault that was asked for, if this text is to have one."""
        fault = self._fault["kind"] if self._fault["match"] in job.text else "none"
        if fault == "before_first":
            raise EngineFailed("the mock speech engine fails before the first audio, as it was told to")
        for count, samples in enumerate(self._windows(job)):
            if cancelled():
                return
            if count == self._fault["after"]:
                yield from self._fail(fault, cancelled)
            time.sleep(len(samples) / self._rate * self._work)
            yield Audio(samples, self._rate, () if count else tuple(_words(job)))
        if fault != "none" and count < self._fault["after"]:
            yield from self._fail(fault, cancelled)

    def _windows(self, job: SpeechJob) -> Iterator[NDArray[np.int16]]:
        tone = _tone(frequency(job.voice), duration(job.text, job.speed), self._rate)
        window = int(self._rate * _WINDOW)
        return (tone[start : start + window] for start in range(0, len(tone), window))

    def _fail(self, fault: str, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        """Nothing for this job."""
        return (Audio(np.zeros(0, np.int16), self._rate) for _ in fail(fault, "speech", cancelled))


def _words(job: SpeechJob) -> Iterator[Word]:
    """As long as their characters are."""
    seconds = duration(job.text, job.speed) / len(job.text)
    return (Word(word[0], word.start() * seconds, word.end() * seconds) for word in re.finditer(r"\S+", job.text))


def _tone(hertz: float, seconds: float, rate: int) -> NDArray[np.int16]:
    at = np.arange(int(seconds * rate)) / rate
    fade = np.minimum(1, np.minimum(at, seconds - at) / _FADE)
    tone: NDArray[np.int16] = (_LOUDNESS * fade * np.sin(2 * np.pi * hertz * at)).astype(np.int16)
    return tone
