"""Trims the silence around a sentence while it streams, so that the pause between sentences is a choice and not an accident."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# Below this a 10 ms stretch counts as silence: -56 dB of full scale, under the softest fricative of the voices measured.
THRESHOLD = 0.0016
_STRETCH = 0.010
# Stretches kept before the first and after the last sound: attacks and decays lie below the threshold. What is kept in front is waited for.
_LEAD = 2
_TAIL = 8
# A voice may begin an s, and at double speed end anything, with a step: beside a pause that would click.
_FADE = 0.003


class Trimmer:
    """Feed it the pieces of a sentence in order, then `finish`: at most 20 ms of silence stay in front and 80 ms behind, and the first and
    last 3 ms are faded. How the sentence was cut does not matter."""

    def __init__(self, rate: int) -> None:
        self._stretch = int(rate * _STRETCH)
        self._ramp = _ramp(int(rate * _FADE))
        self._held: Samples = np.zeros(0, np.float32)
        self.started = False
        """Whether anything but silence has come so far."""
        self.skipped = 0
        """Samples that were dropped before the first one kept."""

    def feed(self, piece: Samples) -> Samples:
        """What is sure to be kept of all that came so far; the last sound is held back, with the silence after it, until more follows."""
        self._held = np.concatenate([self._held, piece])
        if not self.started:
            self._begin()
        loud = self._loud()
        return self._take(int(loud[-1]) if self.started and len(loud) else 0)

    def finish(self) -> Samples:
        """The last sound. Nothing, if there was none."""
        if not self.started:
            return self._held[:0]
        end = self._held[: (1 + _TAIL) * self._stretch].copy()
        end[len(end) - len(self._ramp) :] *= self._ramp[::-1]
        return end

    def _begin(self) -> None:
        """Drops the silence in front, and fades in the sound after it, if it has come."""
        loud = self._loud()
        first = int(loud[0]) if len(loud) else len(self._held) // self._stretch
        self.skipped += len(self._take(max(0, first - _LEAD)))
        self.started = len(loud) > 0
        if self.started:
            self._held[: len(self._ramp)] *= self._ramp

    def _take(self, stretches: int) -> Samples:
        end = stretches * self._stretch
        taken, self._held = self._held[:end], self._held[end:]
        return taken

    def _loud(self) -> NDArray[np.intp]:
        whole = len(self._held) // self._stretch * self._stretch
        stretches = self._held[:whole].reshape(-1, self._stretch)
        return np.flatnonzero(np.sqrt(np.mean(stretches**2, axis=1)) > THRESHOLD)


def _ramp(length: int) -> Samples:
    """Half a cosine from 0 to 1."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
