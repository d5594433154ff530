"""What of an answer has been heard: its text by the times of its words."""

from __future__ import annotations

from dataclasses import dataclass, field

from voice.speak import SentenceAudio, SentenceEnded, SentenceStarted, SpeechEvent
from voice.words import WrittenWord

PACE = 15.0
"""Characters in a second of speech, of a voice that has not said a whole sentence yet."""


@dataclass(slots=True)
class _Sentence:
    """`at` is its place in the text; it is heard from second `start`, for `seconds`. `words` are those with times of their own."""

    at: int
    text: str
    start: float
    seconds: float = 0.0
    ended: bool = False
    words: list[WrittenWord] = field(default_factory=list)

    def until(self, second: float, pace: float) -> int:
        """Characters of it that have been heard by then. `pace`: characters a second, for as long as its end is not known."""
        if self.ended and second >= self.start + self.seconds:
            return len(self.text)
        if self.words:
            return max((word.at + len(word.text) - self.at for word in self.words if word.end <= second), default=0)
        return self._by_length(second, pace)

    def _by_length(self, second: float, pace: float) -> int:
        """For voices without word times: as if every character took as long, and whole words only."""
        if self.seconds <= 0 or second <= self.start:
            return 0
        whole = self.seconds if self.ended else max(self.seconds, len(self.text) / pace)
        characters = int(len(self.text) * min(1.0, (second - self.start) / whole))
        if characters >= len(self.text):
            return len(self.text)
        return len(self.text[: characters + 1].rpartition(" ")[0])


class Spoken:
    """Tell it the events of one answer's speech; then `heard` knows what has been heard after so many seconds of its audio."""

    def __init__(self) -> None:
        self._sentences: list[_Sentence] = []
        self.seconds = 0.0
        """Of audio made."""

    @property
    def text(self) -> str:
        """All that has been begun to be spoken."""
        return "".join(sentence.text for sentence in self._sentences)

    def tell(self, event: SpeechEvent) -> None:
        match event:
            case SentenceStarted():
                self._sentences.append(_Sentence(event.at, event.text, self.seconds))
            case SentenceAudio():
                sentence = self._sentences[-1]
                if not sentence.seconds and not event.audio.samples.any():  # the pause before it
                    sentence.start += event.audio.seconds
                else:
                    sentence.seconds += event.audio.seconds
                sentence.words += event.words
                self.seconds += event.audio.seconds
            case SentenceEnded():
                self._sentences[-1].ended = True

    def heard(self, seconds: float) -> str:
        """The beginning of the text, up to the last word that was heard to its end."""
        text, pace = "", self._pace()
        for sentence in self._sentences:
            part = sentence.text[: sentence.until(seconds, pace)]
            text += part
            if len(part) < len(sentence.text):
                break
        return text.rstrip()

    def _pace(self) -> float:
        whole = [sentence for sentence in self._sentences if sentence.ended]
        seconds = sum(sentence.seconds for sentence in whole)
        return sum(len(sentence.text) for sentence in whole) / seconds if seconds else PACE
