"""The events of one utterance with its audio encoded, as every speech route sends it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from voice.encode import ThreadedEncoder
from voice.speak import SentenceAudio, SentenceEnded, SentenceStarted, SpeechEvent
from voice.words import WrittenWord


@dataclass(frozen=True, slots=True)
class Sound:
    """Bytes that can be sent now; perhaps none, for an encoder keeps some back.

    `samples` from sample `position` of the utterance have gone into it, both at the rate of the bytes. For pcm they are those in the bytes.
    """

    sentence: int
    position: int
    samples: int
    data: bytes
    words: tuple[WrittenWord, ...] = ()


SoundEvent = SentenceStarted | Sound | SentenceEnded


async def encoded(events: AsyncGenerator[SpeechEvent, None], encoder: ThreadedEncoder) -> AsyncGenerator[SoundEvent, None]:
    """Sounds in the place of audio, and a last one after the last sentence if the encoder has bytes left. Closing it closes `events`."""
    meter, sentence = _Meter(encoder), 0
    try:
        async with aclosing(events):
            async for event in events:
                sentence = event.index
                if isinstance(event, SentenceAudio):
                    data = await encoder.encode(event.audio)
                    yield Sound(sentence, *meter.advance(len(event.audio.samples), data), data, event.words)
                else:
                    yield event
        if data := await encoder.close():
            yield Sound(sentence, *meter.advance(0, data), data)
    finally:
        await encoder.close()


class _Meter:
    """Where in the utterance the encoder is."""

    def __init__(self, encoder: ThreadedEncoder) -> None:
        self._encoder = encoder
        self._given = 0
        self._bytes = 0
        self._position = 0

    def advance(self, given: int, data: bytes) -> tuple[int, int]:
        """The position before this step, and its samples."""
        self._given += given
        self._bytes += len(data)
        rates = self._encoder.output_rate / self._encoder.rate
        before, self._position = self._position, self._bytes // 2 if self._encoder.format == "pcm" else round(self._given * rates)
        return before, self._position - before


def word(told: WrittenWord) -> dict[str, Any]:
    """As clients see it: seconds from the beginning of the audio, and characters of the text from `char_start` up to `char_end`."""
    return {
        "word": told.text,
        "start": round(told.start, 3),
        "end": round(told.end, 3),
        "char_start": told.at,
        "char_end": told.at + len(told.text),
    }
