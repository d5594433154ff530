"""Audio as people keep it, whatever its format, to what is listened to. Piece by piece: a file is never in memory, only its sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray

from models.base import LISTENING_RATE
from models.errors import InvalidInput

# Not all that FFmpeg reads: a playlist would make it open other files, and addresses.
FORMATS = "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,opus,tta,w64,wav,webm,wv"
KNOWN = "wav, mp3, m4a, mp4, flac, ogg, webm, aac, ..."


def decode(file: IO[bytes], max_seconds: float, stopped: Callable[[], bool] = lambda: False) -> NDArray[np.float32]:
    """Mono samples in -1..1 at LISTENING_RATE. Raises InvalidInput for what is no audio, or longer. Ends early once `stopped`."""
    content = bytearray()
    most = int(max_seconds * LISTENING_RATE)
    for samples in _pieces(file):
        content += samples.tobytes()
        if len(content) > 4 * most:
            raise InvalidInput(
                f"file is longer than {max_seconds:g} seconds, the most that is taken: send it in parts.",
                param="file",
            )
        if stopped():
            break
    if not content:
        raise InvalidInput("file has no sound in it: expected audio of at least one sample.", param="file")
    return np.frombuffer(content, np.float32)


def _pieces(file: IO[bytes]) -> Iterator[NDArray[np.float32]]:
    try:
        with av.open(file, "r", metadata_errors="ignore", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise InvalidInput(f"file has no sound in it: expected audio, got {container.format.long_name}.", param="file")
            yield from _resampled(container)
    except (av.error.FFmpegError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise InvalidInput(f"file cannot be read as audio ({told}): expected {KNOWN}", param="file") from error


def _resampled(container: Any) -> Iterator[NDArray[np.float32]]:
    """What cannot be decoded in between is left out, as players do."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=LISTENING_RATE)
    for packet in container.demux(audio=0):
        with suppress(av.error.InvalidDataError):
            for frame in packet.decode():
                for resampled in resampler.resample(frame):
                    yield resampled.to_ndarray()[0]
    for resampled in resampler.resample(None):
        yield resampled.to_ndarray()[0]
