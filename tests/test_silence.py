"""The silence around a sentence goes, the sound stays as it was, and both ends can be put beside a pause without a click."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.speech.silence import Trimmer

RATE = 22050
STRETCH = 220
"""Samples by which silence is judged: 10 ms."""
FADE = 66

Samples = NDArray[np.float32]


def tone(seconds: float) -> Samples:
    """Begins and ends at its peak: the worst there can be."""
    return (0.3 * np.cos(2 * np.pi * 110 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def trimmed(sentence: Samples, sizes: list[int] | None = None) -> Samples:
    trimmer, pieces, at = Trimmer(RATE), [], 0
    sizes = sizes or [4608, 8192]
    while at < len(sentence):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(trimmer.feed(sentence[at : at + size]))
        at += size
    return np.concatenate([*pieces, trimmer.finish()])


def step(sentence: Samples) -> float:
    """The largest jump within a fade's length of either end, a pause of zeros beside it."""
    between = np.abs(np.diff(np.concatenate([[0], sentence, [0]])))
    return float(max(between[:FADE].max(), between[-FADE:].max()))


@pytest.mark.parametrize("before", [0.0, 0.03, 0.5])
@pytest.mark.parametrize("after", [0.0, 0.05, 0.7])
def test_of_the_silence_around_a_sentence_little_is_left(before: float, after: float) -> None:
    got = trimmed(np.concatenate([silence(before), tone(1.0), silence(after)]))
    loud = np.flatnonzero(np.abs(got) > 0.01)
    assert min(before, 0.02) - 0.015 < loud[0] / RATE < min(before, 0.02) + 0.015
    assert (len(got) - loud[-1]) / RATE < min(after, 0.08) + 0.015
    assert loud[-1] - loud[0] == pytest.approx(RATE, abs=FADE)


def test_the_pauses_within_a_sentence_stay() -> None:
    got = trimmed(np.concatenate([tone(0.5), silence(0.6), tone(0.5)]))
    assert len(got) == pytest.approx(1.6 * RATE, abs=1)


@pytest.mark.parametrize("seconds", [0.01, 0.02, 0.1, 1.0])
def test_a_sound_that_begins_or_ends_at_its_peak_does_not_click(seconds: float) -> None:
    assert step(tone(seconds)) > 0.29
    assert step(trimmed(tone(seconds))) < 0.015  # the tone itself moves by 0.009 a sample


def test_the_fades_touch_nothing_else() -> None:
    sentence = tone(0.5)
    got = trimmed(sentence)
    assert np.array_equal(got[FADE:-FADE], sentence[FADE:-FADE])
    assert np.all(np.abs(got) <= np.abs(sentence))


def test_silence_alone_is_nothing() -> None:
    trimmer = Trimmer(RATE)
    assert len(trimmer.feed(silence(1.0))) == len(trimmer.finish()) == 0
    assert not trimmer.started


def test_it_streams() -> None:
    trimmer = Trimmer(RATE)
    assert len(trimmer.feed(tone(0.2))) > 0.18 * RATE
    assert trimmer.started


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(st.floats(0, 0.2), st.sampled_from([0.0, 0.001, 0.3, 1.0])), max_size=8),
    sizes=st.lists(st.integers(100, 9000), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_any_sentence_in_any_pieces(parts: list[tuple[float, float]], sizes: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed)
    pieces = [noise.uniform(-level, level, round(seconds * RATE)) for seconds, level in parts]
    sentence = np.concatenate([np.zeros(0), *pieces]).astype(np.float32)
    got = trimmed(sentence, sizes)
    assert np.array_equal(got, trimmed(sentence, [max(1, len(sentence))]))
    assert len(got) <= len(sentence)
    if len(got):
        assert np.abs(got[[0, -1]]).max() < 0.001
        # Sound is lost only where a fade is, and in the last stretch if that is not a whole one.
        assert np.square(got).sum() > np.square(sentence[: len(sentence) // STRETCH * STRETCH]).sum() - 2 * FADE - 0.01
