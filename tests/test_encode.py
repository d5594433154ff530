"""Every format, decoded again: the right length, the same sound, no seams, and bytes early."""

from __future__ import annotations

import gc
import io
import threading
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from models.base import Audio
from models.errors import InvalidInput
from voice.encode import CONTENT_TYPES, FORMATS, Encoder, Format, ThreadedEncoder, encode_stream

RATE = 22050
CODEC_DELAY = 0.1
"""Seconds that mp3 and aac add at the ends; their streams have no place to say so."""

every_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def speechlike(seconds: float, rate: int = RATE) -> NDArray[np.int16]:
    """A gliding tone with a changing level, so that a shift or a gap shows."""
    t = np.arange(round(seconds * rate)) / rate
    return (9000 * np.sin(2 * np.pi * (200 * t + 60 * t * t)) * (0.6 + 0.4 * np.sin(5 * t))).astype(np.int16)


def chunks(samples: NDArray[np.int16], seconds: float = 0.1, rate: int = RATE) -> list[Audio]:
    size = round(seconds * rate)
    return [Audio(samples[i : i + size], rate) for i in range(0, len(samples), size)]


def decode(data: bytes, form: Format) -> tuple[NDArray[np.float64], int]:
    if form == "pcm":
        return np.frombuffer(data, "<i2") / 32768, 24000
    with av.open(io.BytesIO(data)) as container:
        frames: list[Any] = list(container.decode(audio=0))
        peak = 1.0 if frames[0].format.name.startswith("flt") else 32768.0
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]) / peak, frames[0].sample_rate


def encode(samples: NDArray[np.int16], form: Format) -> bytes:
    encoder = Encoder(form, RATE)
    return b"".join([encoder.encode(chunk.samples) for chunk in chunks(samples)]) + encoder.close()


def aligned(got: NDArray[np.float64], sent: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both signals over the stretch they share, the codec's delay taken out."""
    size = len(sent) + most
    spectrum = np.fft.rfft(got[:size], 2 * size) * np.conj(np.fft.rfft(sent, 2 * size))
    lag = int(np.argmax(np.fft.irfft(spectrum)[:most]))
    length = min(len(got) - lag, len(sent))
    return got[lag : lag + length], sent[:length]


@every_format
def test_each_format_decodes_to_the_same_sound(form: Format) -> None:
    sent = speechlike(2.0)
    got, rate = decode(encode(sent, form), form)
    assert len(sent) / RATE - 0.001 <= len(got) / rate <= len(sent) / RATE + CODEC_DELAY
    wanted = soxr.resample(sent / 32768, RATE, rate)
    a, b = aligned(got, wanted, round(CODEC_DELAY * rate) + 1)
    assert np.corrcoef(a, b)[0, 1] > 0.99


@every_format
def test_chunks_meet_without_a_gap(form: Format) -> None:
    sent = speechlike(2.0)
    got, rate = decode(encode(sent, form), form)
    a, b = aligned(got, soxr.resample(sent / 32768, RATE, rate), round(CODEC_DELAY * rate) + 1)
    edge = rate // 20
    assert np.abs(a - b)[edge:-edge].max() < 0.03


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_lossless_formats_give_every_sample_back(form: Format) -> None:
    sent = speechlike(1.234)
    got, rate = decode(encode(sent, form), form)
    assert rate == RATE
    assert np.array_equal(np.round(got * 32768).astype(np.int16), sent)


@every_format
def test_bytes_come_with_the_first_chunks(form: Format) -> None:
    encoder = Encoder(form, RATE)
    first = [encoder.encode(chunk.samples) for chunk in chunks(speechlike(0.3))]
    assert sum(map(len, first[:2])) > 0
    assert len(first[2]) > 0


def test_pcm_is_24_khz_unless_asked_otherwise() -> None:
    sent = speechlike(1.0)
    default, own = Encoder("pcm", RATE), Encoder("pcm", RATE, output_rate=RATE)
    assert len(default.encode(sent) + default.close()) == 2 * 24000
    assert own.encode(sent) + own.close() == sent.tobytes()


def test_a_rate_the_codec_does_not_know_becomes_the_next_one() -> None:
    assert Encoder("mp3", 20000).output_rate == 22050
    assert Encoder("opus", RATE).output_rate == 48000


def test_a_wav_stream_says_that_its_length_is_open() -> None:
    assert Encoder("wav", RATE).close()[:8] == b"RIFF\xff\xff\xff\xff"


def test_unknown_formats_and_rates_are_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidInput, match="mp3, opus, aac, flac, wav, pcm; got 'ogg'"):
        Encoder("ogg", RATE)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="opus exists at 48000 Hz; got 44100"):
        Encoder("opus", RATE, output_rate=44100)


@every_format
def test_nothing_in_is_no_error_and_closing_twice_gives_nothing(form: Format) -> None:
    encoder = Encoder(form, RATE)
    encoder.close()
    assert encoder.close() == b""
    assert encoder.content_type == CONTENT_TYPES[form]
    with pytest.raises(ValueError, match="closed"):
        encoder.encode(speechlike(0.1))


async def spoken(samples: NDArray[np.int16], closed: list[bool]) -> AsyncIterator[Audio]:
    try:
        for chunk in chunks(samples):
            yield chunk
    finally:
        closed.append(True)


@pytest.mark.anyio
@every_format
async def test_a_stream_is_encoded_as_in_one_go(form: Format) -> None:
    sent = speechlike(1.0)
    got = b"".join([data async for data in encode_stream(spoken(sent, []), form, RATE)])
    assert len(decode(got, form)[0]) == len(decode(encode(sent, form), form)[0])


@pytest.mark.anyio
async def test_encoding_stays_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    original = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, samples: (threads.add(threading.current_thread()), original(self, samples))[1])
    async for _ in encode_stream(spoken(speechlike(0.5), []), "mp3", RATE):
        pass
    assert threads
    assert threading.current_thread() not in threads


@pytest.mark.anyio
@every_format
async def test_leaving_early_closes_the_source_and_frees_the_codec(form: Format) -> None:
    closed: list[bool] = []
    stream = encode_stream(spoken(speechlike(2.0), closed), form, RATE)
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    del stream
    gc.collect()
    assert closed == [True]
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Encoder)]


@pytest.mark.anyio
async def test_audio_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="expected audio at 24000 Hz, got 22050 Hz"):
        await ThreadedEncoder("mp3", 24000).encode(Audio(speechlike(0.1), RATE))
