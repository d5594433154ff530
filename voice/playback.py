"""What has been heard of answers that were sent ahead of time: they play one behind the other, and nobody says how far that is."""

from __future__ import annotations


class Playback:
    """All times are seconds of one clock, which the caller reads."""

    def __init__(self) -> None:
        self._sent = [0.0]
        """Seconds of audio, of the answer and of those before it that are still being heard."""
        self._until = 0.0

    @property
    def sent(self) -> float:
        """Seconds of the answer's audio."""
        return self._sent[-1]

    @property
    def answers(self) -> int:
        """The answer, and those before it that were still being heard when it began."""
        return len(self._sent)

    def begin(self, now: float) -> None:
        """Of another answer. What is left of those before it is played first."""
        left, kept = self._left(now), list[float]()
        for seconds in reversed(self._sent):
            if left <= 0:
                break
            kept.insert(0, seconds)
            left -= seconds
        self._sent = [*kept, 0.0]

    def send(self, seconds: float, now: float) -> None:
        """It plays behind what was sent before, or at once if that is over."""
        self._sent[-1] += seconds
        self._until = max(self._until, now) + seconds

    def stop(self, now: float) -> None:
        """What is left will not be played."""
        self._sent = [*reversed(self.heard(now))]
        self._until = min(self._until, now)

    def until(self) -> float:
        """When all that was sent has been played."""
        return self._until

    def audible(self, now: float) -> bool:
        return now < self._until

    def heard(self, now: float) -> list[float]:
        """Seconds of audio that have been played: of the answer, and then of each before it, the last first."""
        left, heard = self._left(now), list[float]()
        for seconds in reversed(self._sent):
            heard.append(seconds - min(seconds, left))
            left -= min(seconds, left)
        return heard

    def _left(self, now: float) -> float:
        return max(0.0, self._until - now)
