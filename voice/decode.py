"""Audio as people keep it, whatever its format, to what is listened to. Piece by piece: a file is never in memory, only its sound.

What a file says of itself is not believed: how long it is, is counted while it is decoded, and so is how much work it has been.
"""

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
# To look into a file FFmpeg decodes the beginning of all that is in it: pictures and video too, with decoders of all ages.
CODECS = (
    "aac,aac_fixed,aac_latm,ac3,ac3_fixed,eac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,adpcm_yamaha,alac,als,amrnb,amrwb,"
    "libopencore_amrnb,libopencore_amrwb,ape,dca,flac,g722,g726,gsm,gsm_ms,mlp,mp1,mp1float,mp2,mp2float,mp3,mp3float,nellymoser,"
    "opus,libopus,pcm_alaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,"
    "pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,pcm_u8,s302m,speex,libspeex,truehd,tta,vorbis,libvorbis,wavpack,wmalossless,wmapro,wmav1,wmav2"
)
# No file leads to another, nor to an address. There is no protocol of this name.
OPTIONS = {"format_whitelist": FORMATS, "codec_whitelist": CODECS, "protocol_whitelist": "none"}
KNOWN = "wav, mp3, m4a, mp4, flac, ogg, webm, aac, ..."
RATES = range(1000, 768_001)
"""Samples per second. One of another rate could be days long, or cost the resampler seconds for nothing."""
MOST_PACKETS = 10_000
"""That may come without a sound in them, or with next to none: a small file can name millions, each of them work."""
PACKETS_PER_SECOND = 1000
"""Of sound; the shortest that codecs make are of 2.5 ms."""


def decode(file: IO[bytes], max_seconds: float, grow: Callable[[float], bool] = lambda _: True) -> NDArray[np.float32]:
    """Mono samples in -1..1 at LISTENING_RATE. Raises InvalidInput for what is no audio, or longer.

    `grow` is told how many seconds more there will be, none of them where it only goes on, and ends it early by False.
    """
    content = bytearray()
    most = int(max_seconds * LISTENING_RATE)
    for samples in _pieces(file, lambda: not grow(0)):
        if not grow(len(samples) / LISTENING_RATE):
            break
        content += samples.tobytes()
        if len(content) > 4 * most:
            raise InvalidInput(
                f"file is longer than {max_seconds:g} seconds, the most that is taken: send it in parts.",
                param="file",
            )
    if not content:
        raise InvalidInput("file has no sound in it: expected audio of at least one sample.", param="file")
    return np.frombuffer(content, np.float32)


def _pieces(file: IO[bytes], stopped: Callable[[], bool]) -> Iterator[NDArray[np.float32]]:
    try:
        with av.open(file, "r", metadata_errors="ignore", options=OPTIONS) as container:
            yield from map(_in_range, _resampled(_frames(container, stopped)))
    except (av.error.FFmpegError, ValueError, LookupError) as error:  # PyAV looks for streams that came in the middle in its old list
        told = getattr(error, "strerror", None) or error
        raise InvalidInput(f"file cannot be read as audio ({told}): expected {KNOWN}", param="file") from error


def _frames(container: Any, stopped: Callable[[], bool]) -> Iterator[Any]:
    """What cannot be decoded in between is left out, as players do."""
    patience = float(MOST_PACKETS)
    for packet in container.demux(_stream(container)):
        if stopped():
            return
        if (patience := patience - 1) < 0:
            raise InvalidInput(f"file has {MOST_PACKETS} packets and more with next to no sound in them: it is broken.", param="file")
        with suppress(av.error.InvalidDataError):
            for frame in packet.decode():
                yield _checked(frame)
                patience = min(MOST_PACKETS, patience + PACKETS_PER_SECOND * frame.samples / frame.sample_rate)


def _stream(container: Any) -> Any:
    if not container.streams.audio:
        raise InvalidInput(f"file has no sound in it: expected audio, got {container.format.long_name}.", param="file")
    stream = container.streams.audio[0]
    how = stream.codec_context.codec if stream.codec_context else None
    if how is None or how.name not in CODECS.split(","):
        told = how.long_name if how else "an unknown codec"
        raise InvalidInput(f"file has sound in it that is written as {told}: expected {KNOWN}", param="file")
    return stream


def _checked(frame: Any) -> Any:
    if frame.sample_rate not in RATES:
        told = f"file has {frame.sample_rate} samples per second: expected {RATES[0]} to {RATES[-1]}."
        raise InvalidInput(told, param="file")
    return frame


def _resampled(frames: Iterator[Any]) -> Iterator[NDArray[np.float32]]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=LISTENING_RATE)
    for frame in frames:
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]
    for resampled in resampler.resample(None):
        yield resampled.to_ndarray()[0]


def _in_range(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A file of floating point numbers may hold any: infinite ones, and what is no number."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1, 1)
