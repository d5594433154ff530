"""Trims the silence around a sentence while it streams, so that the pause between sentences is a choice and not an accident."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# Below this a 10 ms stretch counts as silence: -56 dB of full scale, under the softest fricative of the voices measured.
THRESHOLD = 0.0016
_STRETCH = 0.010
# What is kept before the first and after the last sound: attacks and decays lie below the threshold.
_LEAD = 0.040
_TAIL = 0.080


class Trimmer:
    """Feed it the pieces of a sentence in order, then `finish`: at most 40 ms of silence stay in front and 80 ms behind."""

    def __init__(self, rate: int) -> None:
        self._stretch, self._lead, self._tail = (int(rate * seconds) for seconds in (_STRETCH, _LEAD, _TAIL))
        self._held: Samples = np.zeros(0, np.float32)
        self.started = False
        """Whether anything but silence has come so far."""
        self.skipped = 0
        """Samples that were dropped before the first one kept."""

    def feed(self, piece: Samples) -> Samples:
        """What is sure to be kept of all that came so far; the silence at the end is held back until more sound follows."""
        samples = np.concatenate([self._held, piece])
        loud = self._loud(samples)
        if not len(loud):
            return self._hold(samples, 0 if self.started else self._skip(len(samples)))
        first = 0 if self.started else self._skip(int(loud[0]) * self._stretch)
        self.started = True
        end = min(len(samples), (int(loud[-1]) + 1) * self._stretch)
        return self._hold(samples, end)[first:]

    def finish(self) -> Samples:
        """The end of the last sound. Nothing, if there was none."""
        return self._held[: self._tail] if self.started else self._held[:0]

    def _skip(self, sound: int) -> int:
        """Where to begin when there is no sound before `sound`."""
        first = max(0, sound - self._lead)
        self.skipped += first
        return first

    def _hold(self, samples: Samples, end: int) -> Samples:
        self._held = samples[end:]
        return samples[:end] if self.started else samples[:0]

    def _loud(self, samples: Samples) -> NDArray[np.intp]:
        whole = len(samples) // self._stretch * self._stretch
        stretches = samples[:whole].reshape(-1, self._stretch)
        return np.flatnonzero(np.sqrt(np.mean(stretches**2, axis=1)) > THRESHOLD)
