"""WAV headers of every length, and streams of WAV however they are cut."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import pytest

from models.errors import InvalidInput
from voice import wav
from voice.wav import WavStream, header, pcm

SAMPLES = np.arange(-500, 500, dtype=np.int16)


def test_a_header_tells_how_much_follows() -> None:
    with wave.open(io.BytesIO(header(22050, 1000) + pcm(SAMPLES))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (22050, 1, 1000)


def test_more_than_32_bits_can_tell_is_rf64(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit below these few samples: four real GiB would be the same."""
    monkeypatch.setattr(wav, "LARGEST", 1000)
    made = header(22050, 1000) + pcm(SAMPLES)
    assert made[:4] == b"RF64"
    with av.open(io.BytesIO(made)) as container:
        assert float(container.duration / av.time_base) == pytest.approx(1000 / 22050, abs=1e-4)
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    assert np.array_equal(np.concatenate(frames, axis=1)[0], SAMPLES)


@pytest.mark.parametrize("step", [1, 3, 44, 10_000])
@pytest.mark.parametrize("length", [None, 1000])
def test_a_stream_may_be_cut_anywhere(step: int, length: int | None) -> None:
    data, stream = header(22050, length) + pcm(SAMPLES), WavStream()
    pieces = [stream.feed(data[start : start + step]) for start in range(0, len(data), step)]
    assert stream.rate == 22050
    assert np.array_equal(np.concatenate(pieces), SAMPLES)


def test_chunks_that_are_not_known_are_passed_over() -> None:
    data, stream = header(8000, 1000), WavStream()
    stream.feed(data[:12] + b"LIST\x03\0\0\0abc\0" + data[12:] + pcm(SAMPLES))
    assert stream.rate == 8000


@pytest.mark.parametrize(
    "data", [b"ID3\x04" + b"\0" * 40, header(8000)[:22] + b"\x02" + header(8000)[23:], b"RIFF\0\0\0\0WAVEdata\0\0\0\0"]
)
def test_other_audio_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"expected.* WAV"):
        WavStream().feed(data)
