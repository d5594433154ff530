"""Audio as clients send it: decoded, resampled to what is listened to, and kept until it is a turn."""

from __future__ import annotations

import base64
import binascii
from collections import deque

import numpy as np
import soxr
from numpy.typing import NDArray

from api.realtime.faults import Refused
from models.base import LISTENING_RATE
from voice import g711

Heard = NDArray[np.float32]
LAWS: dict[str, g711.Law] = {"audio/pcmu": "pcmu", "audio/pcma": "pcma"}
RATES = {"audio/pcm": 24000, "audio/pcmu": g711.RATE, "audio/pcma": g711.RATE}


LONGEST_TURN = 300
"""Seconds of audio that are kept; a turn that has no end is over then."""


def bytes_per_second(kind: str) -> int:
    return RATES[kind] * (1 if kind in LAWS else 2)


def unpacked(audio: str, param: str = "audio") -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("invalid_value", f"{param} is not base64 ({error}): expected the audio's bytes in it.", param=param) from None


class Decoder:
    """One stream of a format. Bytes may be cut anywhere; float32 at LISTENING_RATE comes out, some 20 ms behind."""

    def __init__(self, kind: str) -> None:
        self._law = LAWS.get(kind)
        self._rate = RATES[kind]
        self._rest = b""
        self._resampler = self._new()

    def decode(self, data: bytes) -> Heard:
        return self._resampled(self._samples(data))

    def flush(self) -> Heard:
        """What is still inside; then it begins anew."""
        tail = self._resampled(np.zeros(0, np.int16), last=True)
        self._rest, self._resampler = b"", self._new()
        return tail

    def _new(self) -> soxr.ResampleStream:
        return soxr.ResampleStream(self._rate, LISTENING_RATE, 1, dtype="float32", quality="MQ")

    def _samples(self, data: bytes) -> NDArray[np.int16]:
        if self._law:
            return g711.decode(data, self._law)
        data = self._rest + data
        whole = len(data) // 2 * 2
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], "<i2").astype(np.int16, copy=False)

    def _resampled(self, samples: NDArray[np.int16], *, last: bool = False) -> Heard:
        made: Heard = self._resampler.resample_chunk(samples.astype(np.float32) / 32768, last=last)
        return made


def whole(audio: str, kind: str, param: str) -> Heard:
    """A recording of its own, in base64."""
    data, decoder = unpacked(audio, param), Decoder(kind)
    seconds = len(data) / bytes_per_second(kind)
    if seconds > LONGEST_TURN:
        raise Refused("invalid_value", f"{param} has {seconds:.0f} s of audio: at most {LONGEST_TURN} s are taken.", param=param)
    return np.concatenate([decoder.decode(data), decoder.flush()])


class Buffer:
    """The end of a stream; places in it are samples from its beginning."""

    def __init__(self) -> None:
        self._chunks: deque[Heard] = deque()
        self.begin = 0
        """The first sample that is kept."""
        self.end = 0

    def __len__(self) -> int:
        return self.end - self.begin

    def append(self, samples: Heard) -> None:
        if len(samples):
            self._chunks.append(samples)
            self.end += len(samples)

    def between(self, begin: int, end: int) -> Heard:
        if not self._chunks:
            return np.zeros(0, np.float32)
        return np.concatenate(self._chunks)[max(0, begin - self.begin) : max(0, end - self.begin)]

    def forget(self, before: int) -> None:
        """Whole pieces that end before it; so some more may be kept."""
        while self._chunks and self.begin + len(self._chunks[0]) <= before:
            self.begin += len(self._chunks.popleft())

    def take(self, begin: int = 0, end: int | None = None) -> Heard:
        """What is there from `begin` up to `end`; what comes before that is forgotten, too."""
        end = self.end if end is None else end
        taken, rest = self.between(begin, end), self.between(end, self.end)
        self._chunks.clear()
        self.begin = end
        if len(rest):
            self._chunks.append(rest)
        return taken
