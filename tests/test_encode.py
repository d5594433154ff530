"""One encoder per response: bytes early, off the event loop, and nothing left behind. What is heard is in test_encode_heard.py."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray

from models.base import Audio
from models.errors import InvalidInput
from tests.sound import decoded, encoded, speechlike
from voice.encode import CONTENT_TYPES, FORMATS, Encoder, Format, ThreadedEncoder, encode_stream

RATE = 22050

every_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def chunks(samples: NDArray[np.int16]) -> list[Audio]:
    size = RATE // 10
    return [Audio(samples[i : i + size], RATE) for i in range(0, len(samples), size)]


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_lossless_formats_give_every_sample_back(form: Format) -> None:
    sent = speechlike(1.234, RATE)
    assert np.array_equal(decoded(encoded(sent, form, RATE), form, RATE) * 32768, sent)


@every_format
def test_bytes_come_with_the_first_chunks(form: Format) -> None:
    encoder = Encoder(form, RATE)
    first = [encoder.encode(chunk.samples) for chunk in chunks(speechlike(0.3, RATE))]
    assert sum(map(len, first[:2])) > 0
    assert len(first[2]) > 0


def test_pcm_is_24_khz_unless_asked_otherwise() -> None:
    sent = speechlike(1.0, RATE)
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
        encoder.encode(speechlike(0.1, RATE))


async def spoken(samples: NDArray[np.int16], closed: list[bool]) -> AsyncIterator[Audio]:
    try:
        for chunk in chunks(samples):
            yield chunk
    finally:
        closed.append(True)


@pytest.mark.anyio
@every_format
async def test_a_stream_is_encoded_as_in_one_go(form: Format) -> None:
    sent = speechlike(1.0, RATE)
    got = b"".join([data async for data in encode_stream(spoken(sent, []), form, RATE)])
    rate = Encoder(form, RATE).output_rate
    assert np.array_equal(decoded(got, form, rate), decoded(encoded(sent, form, RATE), form, rate))


@pytest.mark.anyio
async def test_encoding_stays_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    original = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, samples: (threads.add(threading.current_thread()), original(self, samples))[1])
    async for _ in encode_stream(spoken(speechlike(0.5, RATE), []), "mp3", RATE):
        pass
    assert threads
    assert threading.current_thread() not in threads


@pytest.mark.anyio
@every_format
async def test_leaving_early_closes_the_source_and_frees_the_codec(form: Format) -> None:
    closed: list[bool] = []
    stream = encode_stream(spoken(speechlike(2.0, RATE), closed), form, RATE)
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    del stream
    gc.collect()
    assert closed == [True]
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Encoder)]


@pytest.mark.anyio
async def test_audio_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="expected audio at 24000 Hz, got 22050 Hz"):
        await ThreadedEncoder("mp3", 24000).encode(Audio(speechlike(0.1, RATE), RATE))
