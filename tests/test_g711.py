"""G.711 beside ffmpeg's."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from voice import g711

CODECS: dict[g711.Law, str] = {"pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}


def peer(kind: str, law: g711.Law) -> Any:
    made = av.CodecContext.create(CODECS[law], kind)
    made.sample_rate, made.layout, made.format = 8000, "mono", "s16"
    return made


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_every_code_is_the_level_that_ffmpeg_hears(law: g711.Law) -> None:
    codes = bytes(range(256))
    [frame] = peer("r", law).decode(av.Packet(codes))
    assert (g711.decode(codes, law) == frame.to_ndarray()[0]).all()


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_every_level_comes_back(law: g711.Law) -> None:
    levels = g711.LEVELS[law]
    assert (g711.decode(g711.encode(levels, law), law) == levels).all()


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_every_sample_is_as_near_as_ffmpeg_s(law: g711.Law) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = 8000
    [packet] = peer("w", law).encode(frame)
    ours, theirs = g711.decode(g711.encode(samples, law), law), g711.decode(bytes(packet), law)
    wide = samples.astype(np.int32)
    assert (abs(ours - wide) <= abs(theirs - wide)).all()
