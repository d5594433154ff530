"""PCM to what clients ask for: one encoder per response, bytes out early, never on the event loop."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast, get_args

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from models.base import Audio
from models.errors import InvalidInput

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[Format, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
# pcm carries no rate, so clients assume the one OpenAI documents; Opus works at 48 kHz inside.
FIXED_RATES: dict[Format, int] = {"pcm": 24000, "opus": 48000}
MP3_AND_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
CODEC_RATES: dict[Format, tuple[int, ...]] = {"mp3": MP3_AND_AAC_RATES, "aac": MP3_AND_AAC_RATES, "opus": (48000,)}
UNKNOWN_SIZE = 0xFFFFFFFF

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Codec:
    container: str
    name: str
    bit_rate: int | None = None
    options: dict[str, str] = field(default_factory=dict)


CODECS: dict[Format, Codec] = {
    # A Xing header is written at the end, into the beginning: a stream cannot go back.
    "mp3": Codec("mp3", "libmp3lame", 96_000, {"write_xing": "0", "id3v2_version": "0"}),
    # Without this, Ogg gathers a second of audio before the first page.
    "opus": Codec("ogg", "libopus", 64_000, {"page_duration": "20000"}),
    "aac": Codec("adts", "aac", 96_000),
    "flac": Codec("flac", "flac"),
}


class _Sink:
    """Where a container writes. It cannot seek, so nothing that was sent is ever rewritten."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._bytes)
        self._bytes.clear()
        return data


class _Writer(Protocol):
    def write(self, samples: Samples) -> bytes: ...
    def close(self) -> bytes: ...


class _Raw:
    """s16le, after a WAV header of unknown length if asked for."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def write(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + samples.astype("<i2", copy=False).tobytes()

    def close(self) -> bytes:
        return self._header


class _Container:
    """An audio file in the making by PyAV."""

    def __init__(self, codec: Codec, rate: int) -> None:
        self._sink = _Sink()
        self._container: Any = av.open(self._sink, "w", format=codec.container, options=codec.options)
        self._stream: Any = self._container.add_stream(codec.name, rate=rate, layout="mono")
        if codec.bit_rate is not None:
            self._stream.bit_rate = codec.bit_rate
        self._rate = rate
        self._position = 0

    def write(self, samples: Samples) -> bytes:
        if len(samples):
            self._mux(self._frame(samples))
        return self._sink.take()

    def close(self) -> bytes:
        # A stream that never got a sample has no header yet; an empty frame is no way to make one.
        if self._position:
            self._mux(None)
        self._container.close()
        return self._sink.take()

    def _frame(self, samples: Samples) -> Any:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None, :], format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._position
        self._position += len(samples)
        return frame

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class Encoder:
    """One response's audio.

    `rate` is that of the samples given, in Hz; `output_rate` that of the bytes made: by default the same, but 24 kHz for pcm, as OpenAI's
    clients expect, and 48 kHz for opus. Synchronous, with several milliseconds of CPU per second of audio: on an event loop use
    ThreadedEncoder. Raises InvalidInput for a format or rate that does not exist.
    """

    def __init__(self, format: Format, rate: int, *, output_rate: int | None = None) -> None:  # noqa: A002 (the client's word for it)
        self.content_type = content_type(format)
        self.rate = rate
        self.output_rate = _output_rate(format, rate, output_rate)
        # float32: between int16, soxr dithers by its place in each chunk, and the same audio would come out otherwise when cut otherwise.
        self._resampler = None if self.output_rate == rate else soxr.ResampleStream(rate, self.output_rate, 1, dtype="float32")
        self._writer = _writer(format, self.output_rate)
        self._closed = False

    def encode(self, samples: Samples) -> bytes:
        """What can be sent after these int16 samples of shape [n]; perhaps nothing yet."""
        if self._closed:
            raise ValueError("this encoder is closed: make one per response")
        return self._writer.write(self._resampled(samples, last=False))

    def close(self) -> bytes:
        """The last bytes. Releases the codec; a second call gives nothing."""
        if self._closed:
            return b""
        self._closed = True
        tail = self._writer.write(self._resampled(np.zeros(0, np.int16), last=True))
        return tail + self._writer.close()

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        if self._resampler is None:
            return samples
        made = self._resampler.resample_chunk(samples.astype(np.float32), last=last)
        return cast(Samples, np.clip(np.rint(made), -32768, 32767).astype(np.int16))


class ThreadedEncoder:
    """An Encoder whose work is done in a worker thread: one hop for each call. Not for two callers at once."""

    def __init__(self, format: Format, rate: int, *, output_rate: int | None = None) -> None:  # noqa: A002
        self.format = format
        self.rate = rate
        self.output_rate = _output_rate(format, rate, output_rate)
        self.content_type = content_type(format)
        self._arguments = (format, rate, output_rate)
        self._encoder: Encoder | None = None
        # A caller that is cancelled in `encode` comes to `close` while the thread may still be encoding.
        self._lock = threading.Lock()

    async def encode(self, audio: Audio) -> bytes:
        """Raises ValueError if the audio has another rate than the encoder was made for."""
        if audio.rate != self._arguments[1]:
            raise ValueError(f"expected audio at {self._arguments[1]} Hz, got {audio.rate} Hz: one response has one rate")
        return await asyncio.to_thread(self._encode, audio.samples)

    async def close(self) -> bytes:
        """The last bytes; frees the codec even while the caller is being cancelled, who then leaves no thread behind."""
        closing = asyncio.ensure_future(asyncio.to_thread(self._close))
        try:
            return await asyncio.shield(closing)
        finally:
            await asyncio.wait({closing})

    def _encode(self, samples: Samples) -> bytes:
        with self._lock:
            return self._open().encode(samples)

    def _close(self) -> bytes:
        with self._lock:
            return self._open().close()

    def _open(self) -> Encoder:
        # Opening a codec takes milliseconds too, so the first call does it, in the thread.
        if self._encoder is None:
            format, rate, output_rate = self._arguments  # noqa: A001
            self._encoder = Encoder(format, rate, output_rate=output_rate)
        return self._encoder


async def encode_stream(
    audio: AsyncGenerator[Audio, None],
    format: Format,  # noqa: A002
    rate: int,
    *,
    output_rate: int | None = None,
) -> AsyncGenerator[bytes, None]:
    """Encode a stream as it comes; `rate` is that of the voice. Closing it closes `audio` and frees the codec; never yields empty bytes."""
    encoder = ThreadedEncoder(format, rate, output_rate=output_rate)
    try:
        async with aclosing(audio) as source:
            async for chunk in source:
                if data := await encoder.encode(chunk):
                    yield data
        if data := await encoder.close():
            yield data
    finally:
        await encoder.close()


def content_type(format: Format) -> str:  # noqa: A002
    if format not in CONTENT_TYPES:
        raise InvalidInput(f"expected a format out of {', '.join(FORMATS)}; got {format!r}", param="response_format")
    return CONTENT_TYPES[format]


def _output_rate(format: Format, rate: int, wanted: int | None) -> int:  # noqa: A002
    made = wanted or FIXED_RATES.get(format, rate)
    allowed = CODEC_RATES.get(format)
    if allowed is None or made in allowed:
        return made
    if wanted is not None:
        raise InvalidInput(f"{format} exists at {', '.join(map(str, allowed))} Hz; got {wanted}", param="sample_rate")
    return min((known for known in allowed if known >= made), default=allowed[-1])


def _writer(format: Format, rate: int) -> _Writer:  # noqa: A002
    if format == "pcm":
        return _Raw(b"")
    if format == "wav":
        return _Raw(_wav_header(rate))
    return _Container(CODECS[format], rate)


def _wav_header(rate: int) -> bytes:
    """RIFF with sizes that say "until the stream ends", which players and ffmpeg understand."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN_SIZE)
