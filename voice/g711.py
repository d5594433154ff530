"""The telephone's two codecs, ITU-T G.711: a byte for each sample, at 8 kHz. By tables: each is 256 levels."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["pcmu", "pcma"]
RATE = 8000


def _pcmu() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0xF) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _pcma() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, (code & 0xF) << 4
    magnitude = np.where(exponent, (mantissa + 0x108) << np.maximum(exponent - 1, 0), mantissa + 8)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(levels: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The code of the level nearest to each int16, beginning with the lowest."""
    codes = np.argsort(levels, kind="stable")
    steps = levels[codes].astype(np.int32)
    borders = (steps[:-1] + steps[1:]) / 2
    return codes[np.searchsorted(borders, np.arange(-32768, 32768))].astype(np.uint8)


LEVELS: dict[Law, NDArray[np.int16]] = {"pcmu": _pcmu(), "pcma": _pcma()}
_CODES: dict[Law, NDArray[np.uint8]] = {law: _nearest(levels) for law, levels in LEVELS.items()}


def decode(data: bytes, law: Law) -> NDArray[np.int16]:
    return LEVELS[law][np.frombuffer(data, np.uint8)]


def encode(samples: NDArray[np.int16], law: Law) -> bytes:
    return _CODES[law][samples.astype(np.int32) + 32768].tobytes()
