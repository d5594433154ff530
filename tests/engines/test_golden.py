"""The voice against a recording of itself: an XTTS was once garbled in silence by a release of a library below it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soxr

from models.speech.coqui import CoquiRenderer
from tests.engines.reference import FILE, RATE, TEXT, Samples, distance, golden, render, renderer

pytestmark = pytest.mark.engines

NEAR = 0.2
"""dB. With the same kernels the distance is 0, with others 0.003; the smallest harm below, 1 dB louder, is 1, another seed 15 and more."""


@pytest.fixture(scope="module")
def voice() -> CoquiRenderer:
    return renderer()


def test_joe_sounds_as_he_did(voice: CoquiRenderer) -> None:
    far = distance(render(voice), golden())
    assert far < NEAR, f"{far:.2f} dB from {FILE.name}: a library changed what the voice says; if it is right, run {__package__}.reference"


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"speed": 0.97}, {"speed": 1.03}, {"text": TEXT.replace("fox", "box")}],
    ids=["another seed", "slower", "faster", "another word"],
)
def test_other_speech_is_far_away(voice: CoquiRenderer, change: dict[str, object]) -> None:
    assert distance(render(voice, **change), golden()) > 10 * NEAR  # type: ignore[arg-type]


def window_lost(samples: Samples) -> Samples:
    return np.concatenate([samples[:15000], np.zeros(2048), samples[17048:]])


def window_garbled(samples: Samples) -> Samples:
    return np.concatenate([samples[:15000], samples[15000:17048][::-1], samples[17048:]])


def frame_late(samples: Samples) -> Samples:
    return np.insert(samples, 20000, np.zeros(256))


def noisy(samples: Samples) -> Samples:
    return samples + np.random.default_rng(0).normal(0, 33, len(samples))  # -60 dB


def wrong_rate(samples: Samples) -> Samples:
    return soxr.resample(samples.astype(float), RATE, RATE * 1.03)


def louder(samples: Samples) -> Samples:
    return samples * 10 ** (1 / 20)  # 1 dB


@pytest.mark.parametrize("harm", [window_lost, window_garbled, frame_late, noisy, wrong_rate, louder])
def test_every_kind_of_harm_is_noticed(harm: Callable[[Samples], Samples]) -> None:
    assert distance(harm(golden()), golden()) > 2 * NEAR


def test_a_decoder_that_is_slightly_off_is_noticed(voice: CoquiRenderer) -> None:
    """As when weights come out of another way of undoing the weight norm."""
    convolution = voice._speakers["joe"].model._model.waveform_decoder.decoder.conv_pre
    before = convolution.weight.data.clone()
    convolution.weight.data *= 1.1
    far = distance(render(voice), golden())
    convolution.weight.data = before
    assert far > 2 * NEAR
