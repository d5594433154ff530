"""What the renderer makes of a sentence beside its samples: word times, and a second try when the first cannot be right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.base import Audio, SpeechJob, Word
from models.errors import ImplausibleAudio
from models.speech.coqui import CoquiRenderer
from models.speech.vits import Prior, VitsModel
from tests.engines.joe import joe

pytestmark = pytest.mark.engines

TEXT = "One of the people in the room was to be the king of the hill."
JOB = SpeechJob("ann", 0, TEXT, "joe", seed=3)


@pytest.fixture(scope="module")
def renderer() -> CoquiRenderer:
    return CoquiRenderer({"models": [{"name": "joe", "path": str(joe())}], "device": "cpu", "threads": 2})


def made(renderer: CoquiRenderer, job: SpeechJob) -> list[Audio]:
    return list(renderer.render(job, lambda: False))


def sound(audio: list[Audio]) -> np.ndarray:
    return np.concatenate([one.samples for one in audio])


def test_every_word_has_its_time_and_the_first_audio_tells_it(renderer: CoquiRenderer) -> None:
    first, *later = [audio for audio in made(renderer, JOB) if len(audio.samples)]
    assert [word.text for word in first.words] == TEXT.split()
    assert not any(audio.words for audio in later)
    times = [time for word in first.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] < 0.1
    assert times[-1] <= len(sound([first, *later])) / first.rate


def test_alone_it_is_heard_sooner_and_is_the_same(renderer: CoquiRenderer) -> None:
    alone = made(renderer, JOB)
    other = renderer.render(replace(JOB, owner="bob"), lambda: False)
    next(other)
    beside = made(renderer, JOB)
    first, second = (next(len(audio.samples) for audio in audios if len(audio.samples)) for audios in (alone, beside))
    assert first < second - 0.15 * alone[0].rate
    np.testing.assert_allclose(sound(alone), sound(beside), atol=4)


def test_words_are_loud_and_the_gap_at_a_comma_is_not(renderer: CoquiRenderer) -> None:
    audio = [one for one in made(renderer, replace(JOB, text="The lamp went out, and nobody spoke.")) if len(one.samples)]
    samples, rate, words = sound(audio).astype(float), audio[0].rate, audio[0].words

    def level(start: float, end: float) -> float:
        return float(np.sqrt(np.mean(samples[int(start * rate) : int(end * rate)] ** 2)))

    comma = next(place for place, word in enumerate(words) if word.text == "out,")
    gap = level(words[comma].end + 0.03, words[comma + 1].start - 0.03)
    assert gap < 0.25 * min(level(word.start, word.end) for word in words if len(word.text) > 3)


def test_the_speed_is_that_of_the_words_too(renderer: CoquiRenderer) -> None:
    def last(speed: float) -> Word:
        return next(audio.words for audio in made(renderer, replace(JOB, speed=speed)) if audio.words)[-1]

    assert last(2.0).end == pytest.approx(last(1.0).end / 2, abs=0.15)


@pytest.mark.parametrize("in_hand", [None, 0.1, 30.0])
def test_audio_is_the_same_however_much_its_owner_has_in_hand(renderer: CoquiRenderer, in_hand: float | None) -> None:
    plays_at = None if in_hand is None else time.monotonic() + in_hand
    one, other = sound(made(renderer, JOB)).astype(int), sound(made(renderer, replace(JOB, plays_at=plays_at)))
    assert np.abs(one - other).max() <= 4  # 1e-4 of full scale


class FailingFirst:
    """The model's `prior`, which `times` times makes what cannot be."""

    def __init__(self, model: VitsModel, times: int, spoil: Callable[[Prior], Prior]) -> None:
        self.prior, self.left, self.spoil = model.prior, times, spoil
        self.seeds: list[int | None] = []

    def __call__(self, *arguments: object) -> Prior:
        self.seeds.append(arguments[3])  # type: ignore[arg-type]
        prior = self.prior(*arguments)  # type: ignore[arg-type]
        self.left -= 1
        return self.spoil(prior) if self.left >= 0 else prior


def too_short(prior: Prior) -> Prior:
    raise ImplausibleAudio("the voice made 0.01 s of speech for 60 phonemes, which cannot be right")


@pytest.fixture
def failing(renderer: CoquiRenderer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FailingFirst]]:
    model = renderer._speakers["joe"].model

    def fail(times: int, spoil: Callable[[Prior], Prior]) -> FailingFirst:
        failing = FailingFirst(model, times, spoil)
        monkeypatch.setattr(model, "prior", failing)
        return failing

    return fail


def test_what_cannot_be_right_is_made_once_more_with_another_seed(renderer: CoquiRenderer, failing: Callable[..., FailingFirst]) -> None:
    expected = sound(made(renderer, replace(JOB, seed=4)))
    attempts = failing(1, too_short)
    assert np.array_equal(sound(made(renderer, JOB)), expected)
    assert attempts.seeds == [3, 4]


def test_twice_is_an_error_and_no_audio_has_gone_out(renderer: CoquiRenderer, failing: Callable[..., FailingFirst]) -> None:
    failing(2, too_short)
    stream = renderer.render(JOB, lambda: False)
    with pytest.raises(ImplausibleAudio, match="cannot be right"):
        next(stream)


def test_silence_is_tried_again_too(renderer: CoquiRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    model = renderer._speakers["joe"].model
    windows, asked = model.windows, []

    def mute(*arguments: object) -> Iterator[np.ndarray]:
        asked.append(1)
        return (window * (len(asked) > 1) for window in windows(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(model, "windows", mute)
    assert np.abs(sound(made(renderer, JOB))).max() > 1000
    monkeypatch.setattr(model, "windows", lambda *arguments: (window * 0 for window in windows(*arguments)))
    with pytest.raises(ImplausibleAudio, match="only silence"):
        made(renderer, JOB)
