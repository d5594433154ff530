"""Recordings in the formats that people send."""

from __future__ import annotations

import io

import av
import numpy as np

# container and codec for each ending of a name
FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "ogg": ("ogg", "libopus"),
    "webm": ("webm", "libopus"),
    "m4a": ("mp4", "aac"),
}


def tone(seconds: float, rate: int = 48000, hertz: float = 300.0) -> np.ndarray:
    """float32 in -1..1."""
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def recording(ending: str, samples: np.ndarray, rate: int = 48000) -> bytes:
    """`samples` as int16, or float in -1..1."""
    container, codec = FORMATS[ending]
    whole = samples if samples.dtype == np.int16 else np.round(samples * 32767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(whole[None], "s16", "mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()
