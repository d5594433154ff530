"""What was said in earlier audio: clients of OpenAI name answers by their audio's id, and send their own recordings at every turn again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

SECONDS = 3600
"""How long an answer can be referred to."""
ANSWERS = 1000
CHARACTERS = 4_000_000
"""Of all transcripts together."""


@dataclass(frozen=True, slots=True)
class _Said:
    transcript: str
    until: float
    """By a clock that nobody sets."""


def new_id() -> str:
    """Nobody guesses another client's."""
    return f"audio_{uuid4().hex}"


class PastAudio:
    """The latest transcripts, for an hour; the oldest go first where there are too many."""

    def __init__(self, *, answers: int = ANSWERS, characters: int = CHARACTERS, clock: Callable[[], float] = time.monotonic) -> None:
        self._answers = answers
        self._characters = characters
        self._clock = clock
        self._said: dict[str, _Said] = {}
        self._held = 0

    def add(self, audio_id: str, transcript: str) -> int:
        """When it will be forgotten at the latest, in Unix seconds."""
        self._drop(audio_id)
        self._said[audio_id] = _Said(transcript, self._clock() + SECONDS)
        self._held += len(transcript)
        self._forget()
        return int(time.time()) + SECONDS

    def find(self, audio_id: str) -> str | None:
        self._forget()
        said = self._said.get(audio_id)
        return said.transcript if said else None

    def _forget(self) -> None:
        """They are in the order in which they came."""
        while self._said:
            oldest = next(iter(self._said))
            full = len(self._said) > self._answers or self._held > self._characters
            if not full and self._said[oldest].until > self._clock():
                return
            self._drop(oldest)

    def _drop(self, audio_id: str) -> None:
        if said := self._said.pop(audio_id, None):
            self._held -= len(said.transcript)
