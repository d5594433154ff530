"""WAV of mono s16le: headers of a known or an unknown length, and samples out of a stream of it."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidInput

HEADER_BYTES = 44
"""Of a header without a length, and of one whose length fits."""
UNKNOWN = LARGEST = 0xFFFFFFFF
_LONGEST_HEADER = 1 << 16


def fits(length: int) -> bool:
    """Whether the sizes of so many samples can be told in 32 bits."""
    return HEADER_BYTES - 8 + length * 2 <= LARGEST


def header(rate: int, length: int | None = None) -> bytes:
    """Says how many samples follow; without a `length`, that they go on until the file ends. RF64 (EBU Tech 3306) for what does not fit."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    if length is not None and not fits(length):
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, HEADER_BYTES + 28 + length * 2, length * 2, length, 0)
        return struct.pack("<4sI4s", b"RF64", UNKNOWN, b"WAVE") + sizes + form + struct.pack("<4sI", b"data", UNKNOWN)
    whole, data = (UNKNOWN, UNKNOWN) if length is None else (HEADER_BYTES - 8 + length * 2, length * 2)
    return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", data)


def sized(data: bytes | bytearray) -> bytes:
    """A file whose header has no length, with the one that it turned out to have."""
    (rate,) = struct.unpack_from("<I", data, 24)
    return header(rate, (len(data) - HEADER_BYTES) // 2) + data[HEADER_BYTES:]


def pcm(audio: NDArray[np.int16]) -> bytes:
    return audio.astype("<i2", copy=False).tobytes()


def samples(data: bytes) -> NDArray[np.int16]:
    """Of whole samples, shape [n]."""
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


class WavStream:
    """Samples from a WAV as its bytes come. `rate` is 0 until the header is there."""

    def __init__(self) -> None:
        self.rate = 0
        self._rest = b""

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """The samples, shape [n], that are complete now. Raises InvalidInput for anything but mono s16le."""
        self._rest += data
        if not self.rate and not self._take_header():
            return np.zeros(0, np.int16)
        whole = len(self._rest) // 2 * 2
        taken, self._rest = samples(self._rest[:whole]), self._rest[whole:]
        return taken

    def _take_header(self) -> bool:
        place, form = 12, b""
        while len(self._rest) >= place + 8:
            name, size = struct.unpack_from("<4sI", self._rest, place)
            if name == b"data":
                self.rate, self._rest = _rate(form), self._rest[place + 8 :]
                return True
            if name == b"fmt ":
                form = self._rest[place + 8 : place + 24]
            place += 8 + size + size % 2
        if not b"RIFF".startswith(self._rest[:4]) or place > _LONGEST_HEADER:
            raise InvalidInput(f"expected a WAV stream, got one that begins with {self._rest[:12]!r}")
        return False


def _rate(form: bytes) -> int:
    if len(form) < 16:
        raise InvalidInput("expected a WAV stream with its format before its data, got one without")
    coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form)
    if (coding, channels, bits) != (1, 1, 16):
        raise InvalidInput(f"expected WAV of 16-bit mono PCM, got coding {coding} with {channels} channels of {bits} bits")
    return int(rate)
