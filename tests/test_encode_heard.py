"""Every format as players hear it: decoded by ffmpeg and held against the samples that went in."""

from __future__ import annotations

import io
import math
import wave

import httpx
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.servers import Server
from tests.sound import Signal, decibels, decoded, delay, encoded, longest_silence, rms, sharpest, speechlike
from voice.encode import FORMATS, Encoder, Format

RATES = (16000, 22050, 24000, 44100, 48000)
EXACT: tuple[Format, ...] = ("opus", "flac", "wav", "pcm")
"""These say how long they are. mp3 and aac in a stream cannot: a delay comes before the sound, and the last frame is filled up."""
DELAYS: dict[Format, int] = {"mp3": 1105, "aac": 1024}

every_format = pytest.mark.parametrize("form", FORMATS)
every_rate = pytest.mark.parametrize("rate", RATES)


def resampled(samples: NDArray[np.int16], rate: int, form: Format) -> tuple[Signal, int]:
    """What is to be heard, and its rate."""
    made = Encoder(form, rate).output_rate
    return (soxr.resample(samples / 32768, rate, made) if len(samples) else samples / 32768), made


def padding(form: Format, rate: int) -> int:
    """Samples after the sound are fewer than this: one or two frames."""
    return {"mp3": 2 * (576 if rate < 32000 else 1152), "aac": 1024}.get(form, 1)


def within(got: Signal, wanted: Signal, form: Format) -> Signal:
    """The part of `got` that stands for `wanted`."""
    start = DELAYS.get(form, 0)
    return got[start : start + len(wanted)]


@every_rate
@pytest.mark.parametrize("form", EXACT)
def test_the_length_is_exact_to_the_sample(form: Format, rate: int) -> None:
    for count in (1, round(0.001 * rate), rate // 10, round(1.3 * rate) + 7):
        sent = speechlike(count / rate, rate)
        made = Encoder(form, rate).output_rate
        # A half counts as one.
        assert len(decoded(encoded(sent, form, rate), form, made)) == math.floor(count * made / rate + 0.5)


@every_rate
@pytest.mark.parametrize("form", DELAYS)
def test_mp3_and_aac_add_a_delay_and_fill_up_their_frames(form: Format, rate: int) -> None:
    for count in (1, round(0.001 * rate), rate // 10, round(1.3 * rate) + 7):
        sent = speechlike(count / rate, rate)
        added = len(decoded(encoded(sent, form, rate), form, rate)) - count - DELAYS[form]
        assert 0 <= added < padding(form, rate)


@every_rate
@every_format
def test_the_sound_is_where_it_was_and_as_loud(form: Format, rate: int) -> None:
    sent = speechlike(1.3, rate)
    wanted, made = resampled(sent, rate, form)
    got = decoded(encoded(sent, form, rate), form, made)
    assert delay(got, wanted) == DELAYS.get(form, 0)
    assert abs(decibels(rms(within(got, wanted, form)) / rms(wanted))) < 0.5
    assert np.corrcoef(within(got, wanted, form), wanted)[0, 1] > 0.99


@every_format
def test_a_minute_has_no_gap_no_click_and_ends_where_it_should(form: Format) -> None:
    sent = speechlike(60.0, 22050)
    wanted, made = resampled(sent, 22050, form)
    got = within(decoded(encoded(sent, form, 22050, [4608, 8192, 1, 16384]), form, made), wanted, form)
    inside = slice(made // 50, -made // 50)
    assert longest_silence(got[inside]) < made // 1000
    assert sharpest(got[inside]) < 1.5 * sharpest(wanted)
    assert delay(got[-made:], wanted[-made:]) == 0


@every_format
def test_silence_stays_silent(form: Format) -> None:
    data = encoded(np.zeros(22050, np.int16), form, 22050)
    assert np.abs(decoded(data, form, Encoder(form, 22050).output_rate)).max() * 32768 < 4


@every_format
def test_nothing_is_an_empty_file(form: Format) -> None:
    assert len(encoded(np.zeros(0, np.int16), form, 22050)) == (44 if form == "wav" else 0)


@every_format
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 20000), min_size=1, max_size=12))
def test_it_does_not_matter_how_the_audio_was_cut(form: Format, sizes: list[int]) -> None:
    sent = speechlike(0.7, 22050)
    one, other = encoded(sent, form, 22050, [len(sent)]), encoded(sent, form, 22050, sizes)
    if form == "opus":  # each of its files has a serial number of its own
        assert np.array_equal(decoded(one, form, 48000), decoded(other, form, 48000))
    else:
        assert one == other


def test_python_reads_the_open_end_of_a_wav_stream() -> None:
    sent = speechlike(0.5, 22050)
    with wave.open(io.BytesIO(encoded(sent, "wav", 22050))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22050, 1, 2)
        assert file.readframes(file.getnframes()) == sent.tobytes()


@every_rate
def test_full_scale_is_cut_off_and_not_turned_over_by_resampling(rate: int) -> None:
    square = np.where(np.arange(rate) // 100 % 2, 32767, -32768).astype(np.int16)
    got = decoded(encoded(square, "pcm", rate), "pcm", 24000)
    wanted = soxr.resample(square / 32768, rate, 24000).clip(-1, 32767 / 32768)
    assert np.abs(got - wanted).max() < 2 / 32768


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_client_is_sent_is_one_whole_file(server: Server, form: Format) -> None:
    """The mock's voices are at 24 kHz, as pcm is."""
    body = {"model": "tts-1", "input": "Hello there. This is spoken, sentence by sentence: all of it.\n\nGoodbye."}
    sent, data = (httpx.post(f"{server.url}/v1/audio/speech", json=body | {"response_format": each}).content for each in ("pcm", form))
    wanted, made = resampled(np.frombuffer(sent, "<i2"), 24000, form)
    got = decoded(data, form, made)
    assert 0 <= len(got) - DELAYS.get(form, 0) - len(wanted) < padding(form, made)
    assert np.corrcoef(within(got, wanted, form), wanted)[0, 1] > 0.99
