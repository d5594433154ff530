"""Audio that lies about itself: its work and its memory have bounds, and what cannot be heard is refused."""

from __future__ import annotations

import io
import struct
import time
from functools import cache
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidInput
from tests.fuzzing import examples, tried
from tests.recordings import FORMATS, recording, tone
from voice.decode import CODECS, MOST_PACKETS, decode

MOST = 10
SECOND = b"\x01\x02" * 16000


def wav(data: bytes = SECOND, *, code: int = 1, channels: int = 1, rate: int = 16000, bits: int = 16, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    form = struct.pack("<HHIIHH", code, channels, rate, rate & 0xFFFF, channels * bits // 8 & 0xFFFF, bits)
    return b"RIFF" + struct.pack("<I", size + 36 & 0xFFFFFFFF) + b"WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", size) + data


def atom(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def mp4(packets: int, size: int, codec: bytes, sound: bytes = b"\x55" * 1000) -> bytes:
    """So many packets, each of which is the same few bytes of the file."""
    full = bytes(4)
    entry = atom(codec, bytes(6), struct.pack(">HHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, 8000 << 16))
    table = atom(
        b"stbl",
        atom(b"stsd", full, struct.pack(">I", 1), entry),
        atom(b"stts", full, struct.pack(">III", 1, packets, 1)),
        atom(b"stsc", full, struct.pack(">IIII", 1, 1, 1, 1)),
        atom(b"stsz", full, struct.pack(">II", size, packets)),
        atom(b"stco", full, struct.pack(">I", packets), struct.pack(">I", 32) * packets),
    )
    head = atom(b"mdhd", full, struct.pack(">IIIII", 0, 0, 8000, packets, 0))
    kind = atom(b"hdlr", full, bytes(4), b"soun", bytes(13))
    media = atom(b"mdia", head, kind, atom(b"minf", atom(b"smhd", bytes(8)), table))
    track = atom(b"trak", atom(b"tkhd", full, struct.pack(">IIIII", 0, 0, 1, 0, packets), bytes(60)), media)
    movie = atom(b"moov", atom(b"mvhd", full, struct.pack(">IIII", 0, 0, 1000, packets), bytes(80)), track)
    return atom(b"ftyp", b"isom", bytes(4), b"isom", bytes(4)) + atom(b"mdat", sound) + movie


def heard(data: bytes, most: float = MOST) -> Any:
    samples = decode(io.BytesIO(data), most)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    assert len(samples) <= most * 16000
    return samples


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e38])
def test_what_is_no_number_is_no_sound(number: float) -> None:
    heard(wav(struct.pack("<f", number) * 16000, code=3, bits=32))


@pytest.mark.parametrize("rate", [1, 999, 768_001, 10_000_000, 2**31 - 1])
def test_a_rate_that_nothing_has_is_refused(rate: int) -> None:
    with pytest.raises(InvalidInput, match="samples per second: expected 1000 to 768000"):
        heard(wav(rate=rate))


NONSENSE = [{"rate": 0}, {"channels": 0}, {"channels": 1000}, {"channels": 65535}, {"bits": 0}, {"bits": 65535}, {"code": 9}]


@pytest.mark.parametrize("fields", NONSENSE, ids=str)
def test_a_header_of_nonsense_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        heard(wav(SECOND * 4, **fields))
    assert refused.value.param == "file"


def test_a_length_that_is_a_lie_is_not_believed() -> None:
    assert len(heard(wav(length=0xFFFFFFF0))) == 16000
    flac = bytearray(recording("flac", tone(1), 48000))
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4  # days
    assert len(heard(bytes(flac))) == pytest.approx(16000, abs=100)


@pytest.mark.parametrize(("size", "codec"), [(900, b"mp4a"), (1, b"alaw")], ids=["broken", "next to none"])
def test_a_small_file_with_endless_packets_is_refused_before_they_are_all_looked_at(size: int, codec: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput, match=f"{MOST_PACKETS} packets and more"):
        heard(mp4(400_000, size, codec), 7200)
    assert time.process_time() - began < 20  # 400,000 of them take minutes


def test_what_is_long_is_refused_however_small_it_is() -> None:
    silence = recording("ogg", np.zeros(48000 * 15, np.int16))
    assert len(silence) < 10_000
    with pytest.raises(InvalidInput, match="longer than 10 seconds"):
        heard(silence)


def test_nobody_waits_for_a_file_whose_client_has_left() -> None:
    asked = []
    with pytest.raises(InvalidInput, match="no sound"):
        decode(io.BytesIO(mp4(5000, 900, b"mp4a")), MOST, lambda seconds: asked.append(seconds) or len(asked) <= 3)
    assert asked == [0] * 4


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>'
DASH = b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>file:///etc/hostname</BaseURL></Period></MPD>'
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=No\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
HLS = b"#EXTM3U\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
LIST = b"ffconcat version 1.0\nfile '/etc/hostname'\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(99)
HTML = b"<html><audio src=http://127.0.0.1/></html>" * 50


@pytest.mark.parametrize("content", [SVG, DASH, SDP, HLS, LIST, HTML, PNG], ids=["svg", "dash", "sdp", "hls", "concat", "html", "png"])
def test_what_leads_elsewhere_is_no_audio(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="cannot be read as audio"):
        heard(content)


def film(*, sound: bool) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as output:
        video: Any = output.add_stream("mjpeg", rate=25)
        video.width = video.height = 32
        video.pix_fmt = "yuvj420p"
        audio = output.add_stream("pcm_s16le", rate=48000, layout="mono") if sound else None
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 32), np.uint8), "yuv420p").reformat(format="yuvj420p")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        for packet in [*video.encode(picture), *video.encode(None), *(audio.encode(frame) if audio else [])]:
            output.mux(packet)
    return file.getvalue()


def test_of_a_film_the_sound_is_heard_and_no_picture_is_looked_at() -> None:
    assert len(heard(film(sound=True))) == 1600
    assert "jpeg" not in CODECS
    with pytest.raises(InvalidInput, match="no sound in it: expected audio, got AVI"):
        heard(film(sound=False))


def test_a_fault_of_the_reader_is_one_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyAV looks for a stream that appears in the middle, as in some MPEG-TS, in the list that it made at the beginning."""

    def frames(*_: object) -> Any:
        raise IndexError("list index out of range")

    monkeypatch.setattr("voice.decode._frames", frames)
    with pytest.raises(InvalidInput, match="cannot be read as audio"):
        heard(wav())


@cache
def whole(ending: str) -> bytes:
    return wav() if ending == "raw" else recording(ending, tone(0.5))


ENDS = [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A recording with other bytes in some places, mostly in its header; cut off, or with another behind it."""
    ending = draw(st.sampled_from(["raw", *FORMATS]))
    content = bytearray(whole(ending))
    for _ in range(draw(st.integers(0, 12))):
        at = draw(st.integers(0, min(len(content), draw(st.sampled_from([64, 512, len(content)]))) - 1))
        content[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4) | st.sampled_from(ENDS))
    end = draw(st.none() | st.integers(0, len(content)))
    return ending, bytes(content[:end]) + draw(st.sampled_from([b"", b"", whole("ogg"), whole("mp3")]))


@given(damaged() | st.binary(max_size=200).map(lambda content: ("noise", content)))
@examples(150)
def test_whatever_a_file_holds_it_is_heard_or_refused(made: tuple[str, bytes]) -> None:
    kind, content = made
    refused = None
    try:
        heard(content)
    except InvalidInput as error:
        refused = error
    tried(f"audio: {kind}", "refused" if refused else "heard")
    assert refused is None or refused.param == "file"
