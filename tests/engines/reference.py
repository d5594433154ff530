"""What joe said when he was right: golden/joe.flac.

To make it anew, and then to listen to it: `.venv/cpu/bin/python -m tests.engines.reference`, FIRESIDE_HOME being where joe is.
"""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np

from models.base import SpeechJob
from models.speech.coqui import CoquiRenderer
from tests.engines.joe import joe
from voice.encode import Encoder

FILE = Path(__file__).parent / "golden" / "joe.flac"
TEXT = "The quick brown fox jumps over the lazy dog, doesn't it?"
RATE = 22050
BANDS, FFT, HOP = 40, 1024, 256
TENTH = 9
"""Frames in a tenth of a second."""

Samples = np.ndarray


def renderer() -> CoquiRenderer:
    return CoquiRenderer({"models": [{"name": "joe", "path": str(joe())}], "device": "cpu", "threads": 1})


def render(voice: CoquiRenderer, text: str = TEXT, seed: int = 1, speed: float = 1.0) -> Samples:
    """int16, by the whole way that a request goes in the speech worker."""
    return np.concatenate([audio.samples for audio in voice.render(SpeechJob("ann", 0, text, "joe", speed, seed), lambda: False)])


def golden() -> Samples:
    with av.open(io.BytesIO(FILE.read_bytes())) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def distance(one: Samples, other: Samples) -> float:
    """By how many dB the log-mel spectra differ, frame by frame, in the worst tenth of a second; what one lacks at its end is silence."""
    length = max(len(one), len(other))
    a, b = (log_mel(np.pad(samples, (0, length - len(samples)))) for samples in (one, other))
    return float(np.convolve(np.abs(a - b).mean(axis=1), np.full(TENTH, 1 / TENTH), "valid").max())


def log_mel(samples: Samples) -> np.ndarray:
    """[frames, BANDS] in dB of full scale, not below -80."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples / 32768, FFT // 2), FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT))) ** 2 / (FFT / 4) ** 2
    return 10 * np.log10(np.maximum(power @ mel_filters().T, 1e-8))


def mel_filters() -> np.ndarray:
    """[BANDS, FFT // 2 + 1]: triangles, equally wide on the mel scale, from 0 to 8 kHz."""
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.arange(FFT // 2 + 1) * RATE / FFT
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))


if __name__ == "__main__":
    encoder = Encoder("flac", RATE)
    data = encoder.encode(render(renderer())) + encoder.close()
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(data)
    print(f"{FILE}: {len(data)} bytes. Listen to it before you commit it.")
