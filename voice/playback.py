"""What a listener has heard of audio that was sent ahead of time, who plays it from the first piece on and says nothing about it."""

from __future__ import annotations


class Playback:
    """All times are seconds of one clock, which the caller reads."""

    def __init__(self) -> None:
        self.sent = 0.0
        """Seconds of audio."""
        self._until = 0.0

    def send(self, seconds: float, now: float) -> None:
        """It plays behind what was sent before, or at once if that is over."""
        self.sent += seconds
        self._until = max(self._until, now) + seconds

    def stop(self, now: float) -> None:
        """What is left of it will not be played."""
        self.sent = self.heard(now)
        self._until = min(self._until, now)

    def until(self) -> float:
        """When all that was sent has been played."""
        return self._until

    def audible(self, now: float) -> bool:
        return self.sent > 0 and now < self._until

    def heard(self, now: float) -> float:
        """Seconds of the audio that have been played."""
        return self.sent - max(0.0, min(self.sent, self._until - now))
