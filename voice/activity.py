"""When somebody speaks: from the probabilities of a voice activity model to the beginnings and ends of turns.

The only clock is that of the audio: seconds since the beginning of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WINDOW = 0.032
"""Seconds of audio behind each probability: 512 samples at 16 kHz, as silero-vad takes them."""
HYSTERESIS = 0.15
"""Who speaks goes on speaking until the probability is so much below the threshold (as in silero-vad's own iterator)."""
SURE = 0.128
"""Seconds of speech that are no click, and no plucked string."""
UNSURE = 0.2
"""What a window at the threshold counts for, where one that is certainly speech counts for 1: music is seldom certain."""
DIP = 0.064
"""Seconds without speech that do not end a beginning: a stop consonant is as long."""
PAUSE = 0.2
"""Seconds of silence after which a turn may be over, whatever the patience is."""


@dataclass(frozen=True, slots=True)
class Suspected:
    """Somebody may have begun to speak at `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class Dismissed:
    """What was suspected was too short to be speech; it was over at `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """It is speech, and began at `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class Paused:
    """The speaker has been silent since `at`, and may be done."""

    at: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """The speaker was not done, and goes on at `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The turn is over: it ended at `at`, and has been waited out."""

    at: float


Activity = Suspected | Dismissed | Started | Paused | Resumed | Stopped


class TurnDetector:
    """Feed it one probability after another; of each turn it tells Suspected, Started, then Paused and perhaps Resumed, and Stopped.

    `patience` is the silence, in seconds, that ends a turn, and `sure` the speech that begins one. Both may be changed at any time: the one
    by what was said, the other while there is something to interrupt. Whatever is not quite like speech takes longer to begin a turn.
    """

    def __init__(self, *, threshold: float = 0.5, patience: float = 0.5, sure: float = SURE) -> None:
        self.threshold = threshold
        self.patience = patience
        self.sure = sure
        self._now = 0.0
        self._speaking = False
        self._paused = False
        self._began: float | None = None
        self._voiced = 0.0
        self._silent_since: float | None = None

    @property
    def now(self) -> float:
        """Seconds that it was fed."""
        return self._now

    @property
    def speaking(self) -> bool:
        """Between Started and Stopped."""
        return self._speaking

    @property
    def began(self) -> float | None:
        """When the speech began that goes on now, or that is suspected."""
        return self._began

    def feed(self, probability: float) -> Iterator[Activity]:
        """Take it to its end."""
        begin, self._now = self._now, self._now + WINDOW
        if probability >= self.threshold - HYSTERESIS * (self._began is not None):
            yield from self._voice(begin, self._certainty(probability))
        elif self._began is not None:
            yield from self._silence(begin)

    def forget(self) -> None:
        """The turn that is going on is nobody's business any more; the clock goes on."""
        self._speaking = self._paused = False
        self._began = self._silent_since = None
        self._voiced = 0.0

    def _certainty(self, probability: float) -> float:
        above = max(0.0, probability - self.threshold) / max(1 - self.threshold, HYSTERESIS)
        return UNSURE + (1 - UNSURE) * above

    def _voice(self, at: float, certainty: float) -> Iterator[Activity]:
        self._silent_since = None
        self._voiced += certainty * WINDOW
        if self._began is None:
            self._began = at
            yield Suspected(at)
        if self._paused:
            self._paused = False
            yield Resumed(at)
        if not self._speaking and self._voiced >= self.sure - WINDOW / 2:
            self._speaking = True
            yield Started(self._began)

    def _silence(self, at: float) -> Iterator[Activity]:
        if self._silent_since is None:
            self._silent_since = at
        since = self._silent_since
        silent = self._now - since + WINDOW / 2
        if not self._speaking:
            if silent > DIP + WINDOW:
                self.forget()
                yield Dismissed(since)
            return
        if not self._paused and silent >= min(PAUSE, self.patience):
            self._paused = True
            yield Paused(since)
        if silent >= self.patience:
            self.forget()
            yield Stopped(since)
