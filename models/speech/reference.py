"""The recording a voice is cloned from: read, checked, and brought to the one rate that XTTS listens at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soxr

from models.errors import WeightsError
from models.speech.sentence import Samples

RATE = 22050
SHORTEST = 1.0
LONGEST = 30.0
# As the trimmer of sentences has it: -56 dB of full scale.
_SILENCE = 0.0016


@dataclass(frozen=True, slots=True)
class Reference:
    """Mono samples in -1..1 at 22,050 Hz. `cut`: the recording is longer, and only its first 30 seconds are used."""

    samples: Samples
    cut: bool

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def read(path: Path) -> Reference:
    """Any format that FFmpeg reads. Raises WeightsError that says what is wrong with the recording."""
    try:
        samples = _decoded(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as audio ({_reason(error)}): give a recording as WAV, FLAC, MP3 or Opus") from error
    reference = Reference(samples[: int(LONGEST * RATE)], len(samples) > LONGEST * RATE)
    if reference.seconds < SHORTEST:
        raise WeightsError(
            f"{path} is {reference.seconds:.2f} s long: expected at least {SHORTEST:g} s of one person speaking, better 6 to {LONGEST:g}"
        )
    if np.sqrt(np.mean(reference.samples**2)) < _SILENCE:
        raise WeightsError(f"{path} is silent: give a recording of one person speaking")
    return reference


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _decoded(path: Path) -> Samples:
    """A little more than what is used, however long the recording is."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("there is no audio in it")
        stream = container.streams.audio[0]
        rate = int(stream.rate)
        pieces, total = [np.zeros(0, np.float32)], 0
        for piece in _pieces(container, stream):
            pieces.append(piece)
            total += len(piece)
            if total > (LONGEST + 1) * rate:
                break
    samples: Samples = soxr.resample(np.concatenate(pieces), rate, RATE)
    return samples


def _pieces(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[Samples]:
    floats = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for piece in floats.resample(frame):
            yield piece.to_ndarray().mean(axis=0)
