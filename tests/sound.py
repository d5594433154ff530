"""Audio to test with, ffmpeg to hear it with, and what can be measured of it."""

from __future__ import annotations

import functools
import re
import subprocess

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from voice.encode import Encoder, Format

# What a player knows from the content type.
DEMUXERS: dict[Format, str] = {"mp3": "mp3", "opus": "ogg", "aac": "aac", "flac": "flac", "wav": "wav", "pcm": "s16le"}

Signal = NDArray[np.float64]


def speechlike(seconds: float, rate: int) -> NDArray[np.int16]:
    """A gliding tone with harmonics and a changing level, never silent, so that a shift, a gap or a click shows."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (200 * t + 20 * np.sin(3 * t))
    return (9000 * (np.sin(phase) + 0.4 * np.sin(3 * phase)) * (0.6 + 0.4 * np.sin(5 * t))).astype(np.int16)


def encoded(samples: NDArray[np.int16], form: Format, rate: int, sizes: list[int] | None = None) -> bytes:
    """The file for these samples, given in pieces of `sizes`, over and over: by default of 0.1 s."""
    encoder, pieces, at = Encoder(form, rate), [], 0
    sizes = sizes or [rate // 10]
    while at < len(samples):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(encoder.encode(samples[at : at + size]))
        at += size
    return b"".join(pieces) + encoder.close()


def decoded(data: bytes, form: Format, rate: int) -> Signal:
    """What ffmpeg makes of a file, -1..1; `rate` is what its reader expects. Fails if ffmpeg has anything to complain of."""
    at = ("-ar", str(rate))
    source = ("-f", DEMUXERS[form], *(at if form == "pcm" else ()), "-i", "pipe:0")
    # A file that says another rate is resampled here, and has the wrong length.
    heard = _ffmpeg("-v", "error", *source, "-f", "f32le", "-ac", "1", *at, "pipe:1", data=data)
    assert not heard.stderr, heard.stderr.decode()
    return np.frombuffer(heard.stdout, "<f4").astype(np.float64)


def loudness(samples: NDArray[np.int16], rate: int) -> float:
    """LUFS, after EBU R 128. Silence around it lets the meter see a short sentence whole."""
    around = np.zeros(rate, np.int16)
    data = np.concatenate([around, samples, around]).tobytes()
    heard = _ffmpeg("-f", "s16le", "-ar", str(rate), "-i", "pipe:0", "-af", "ebur128", "-f", "null", "-", data=data)
    return float(re.findall(rb"I:\s*(-?[\d.]+) LUFS", heard.stderr)[-1])


def delay(got: Signal, sent: Signal) -> int:
    """By how many samples `got` comes later than `sent`: where they correlate best."""
    size = len(got) + len(sent)
    correlation = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(sent, size)), size)
    best = int(np.argmax(correlation))
    return best if best < len(got) else best - size


def decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-9)))


def rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(np.square(signal))))


def longest_silence(signal: Signal, below: float = 1e-4) -> int:
    """Samples of the longest stretch that does not reach `below`."""
    loud = np.flatnonzero(np.abs(signal) >= below)
    return int(np.diff(np.concatenate([[-1], loud, [len(signal)]])).max()) - 1


def sharpest(signal: Signal) -> float:
    """The largest second difference: a click is the sharpest corner that a wave can have."""
    return float(np.abs(np.diff(signal, 2)).max())


@functools.cache
def _program() -> str:
    return imageio_ffmpeg.get_ffmpeg_exe()


def _ffmpeg(*arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([_program(), "-nostdin", *arguments], input=data, capture_output=True, check=False, timeout=60)
