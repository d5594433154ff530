"""Models of Coqui that make a sentence at once, on small random ones: FastPitch with a vocoder and Tacotron with Griffin-Lim."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base import SpeechJob
from models.errors import EngineFailed, WeightsError
from models.speech import whole
from models.speech.coqui import CoquiRenderer
from models.speech.stats import check
from models.speech.tempo import stretched
from tests.engines import small_vits, small_whole

pytestmark = pytest.mark.engines
TEXT = "hello there, my friend."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FastPitch with two speakers and a vocoder; not to be changed."""
    path = tmp_path_factory.mktemp("fast_pitch")
    small_whole.fast_pitch(path, ["ann", "bob"])
    small_whole.vocoder(path / "vocoder")
    return path


@pytest.fixture(scope="module")
def fast_pitch(folder: Path) -> CoquiRenderer:
    return renderer(folder)


@pytest.fixture(scope="module")
def tacotron(tmp_path_factory: pytest.TempPathFactory) -> CoquiRenderer:
    path = tmp_path_factory.mktemp("tacotron2")
    small_whole.tacotron2(path)
    return renderer(path)


def renderer(folder: Path) -> CoquiRenderer:
    return CoquiRenderer({"models": [{"name": "small", "path": str(folder), "licence": "MIT"}], "device": "cpu"})


def pieces(speaking: CoquiRenderer, text: str = TEXT, *, voice: str = "", speed: float = 1.0, seed: int | None = 1) -> list[np.ndarray]:
    job = SpeechJob("ann", 0, text, voice or speaking.voices()[0].id, speed, seed)
    return [audio.samples for audio in speaking.render(job, lambda: False)]


def said(speaking: CoquiRenderer, text: str = TEXT, **options: object) -> np.ndarray:
    return np.concatenate(pieces(speaking, text, **options))


def test_each_speaker_of_a_fast_pitch_is_a_voice(fast_pitch: CoquiRenderer) -> None:
    assert [(voice.id, voice.language, voice.rate, voice.licence) for voice in fast_pitch.voices()] == [
        ("small/ann", "en", 22050, "MIT"),
        ("small/bob", "en", 22050, "MIT"),
    ]
    assert not np.array_equal(said(fast_pitch, voice="small/ann"), said(fast_pitch, voice="small/bob"))


def test_its_vocoder_makes_the_sound(fast_pitch: CoquiRenderer, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "without", ignore=shutil.ignore_patterns("vocoder"))
    assert not np.array_equal(said(fast_pitch)[:1000], said(renderer(tmp_path / "without"))[:1000])


def test_it_comes_in_pieces_of_a_fifth_of_a_second(fast_pitch: CoquiRenderer) -> None:
    made = pieces(fast_pitch)
    assert len(made) > 3
    assert max(map(len, made)) <= 22050 * 0.2 + 220


@pytest.mark.parametrize("speed", [0.4, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("model", ["fast_pitch", "tacotron"])
def test_any_model_speaks_faster_and_slower(request: pytest.FixtureRequest, model: str, speed: float) -> None:
    speaking = request.getfixturevalue(model)
    assert len(said(speaking, speed=speed)) == pytest.approx(
        len(said(speaking)) / speed, rel=0.25, abs=2000
    )  # whole frames for each character


@pytest.mark.parametrize("model", ["fast_pitch", "tacotron"])
def test_a_seed_decides_and_leaves_the_generators_as_they_were(request: pytest.FixtureRequest, model: str) -> None:
    speaking = request.getfixturevalue(model)
    torch.manual_seed(7)
    np.random.seed(7)
    expected = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(7)
    np.random.seed(7)
    first = said(speaking)
    assert (torch.rand(1).item(), np.random.rand()) == expected
    assert np.array_equal(said(speaking), first)


def test_griffin_lim_draws_from_the_seed_too(tacotron: CoquiRenderer) -> None:
    assert not np.array_equal(said(tacotron, seed=1), said(tacotron, seed=2))
    assert not np.array_equal(said(tacotron, seed=None), said(tacotron, seed=None))


@pytest.mark.parametrize("text", ["a", "I", "no"])
def test_the_shortest_text_is_spoken(fast_pitch: CoquiRenderer, text: str) -> None:
    assert len(said(fast_pitch, text))


def test_a_text_in_no_script_of_the_voice_is_an_error(fast_pitch: CoquiRenderer) -> None:
    with pytest.raises(EngineFailed, match="choose one for its language"):
        said(fast_pitch, "さようなら")


def test_speech_without_end_is_an_error(fast_pitch: CoquiRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "_LONGEST_CHARACTER", 0.001)
    with pytest.raises(EngineFailed, match=r"s of speech for 23 characters"):
        said(fast_pitch)


def test_a_cancelled_sentence_ends_between_its_pieces(fast_pitch: CoquiRenderer) -> None:
    cancelled = False
    stream = fast_pitch.render(SpeechJob("ann", 0, TEXT, "small/ann", seed=1), lambda: cancelled)
    next(stream)
    cancelled = True
    assert sum(len(audio.samples) for audio in stream) < 22050 * 0.2
    room = fast_pitch.room(SpeechJob("bob", 0, TEXT, "small/ann"))
    assert room is not None
    assert room.places == 1


def louder(path: Path, layer: str) -> None:
    saved = torch.load(path, weights_only=False)
    for name in saved["model"]:
        if name.startswith(layer):
            saved["model"][name] *= 500
    torch.save(saved, path)


def test_a_multilingual_vits_speaks_each_of_its_languages(tmp_path: Path) -> None:
    small_vits.write(tmp_path, ["ann"], ["de", "en"], embedded_language_dim=4)
    louder(tmp_path / "model.pth", "waveform_decoder.conv_post")
    speaking = renderer(tmp_path)
    [voice] = speaking.voices()
    assert (voice.id, voice.languages) == ("small", ("de", "en"))
    made = [speaking.render(SpeechJob("ann", 0, TEXT, voice.id, seed=1, language=language), lambda: False) for language in ("", "de", "en")]
    own, german, english = (np.concatenate([audio.samples for audio in stream]) for stream in made)
    assert np.array_equal(own, german)
    assert not np.array_equal(german, english)


@pytest.mark.parametrize("name", ["model.pth", "vocoder/model.pth", "config.json", "vocoder/config.json"])
def test_a_broken_model_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / name).write_bytes(b"none")
    with pytest.raises(WeightsError, match=re.escape(str(Path("broken") / name))):
        renderer(tmp_path / "broken")


def test_a_kind_that_cannot_speak_sentence_by_sentence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model": "bark"}))
    with pytest.raises(WeightsError, match="type bark, which is not supported"):
        renderer(tmp_path)


def test_statistics_are_read_as_data_and_never_as_code(tmp_path: Path) -> None:
    path, other = tmp_path / "scale_stats.npy", tmp_path / "other.npy"
    np.save(path, {"mel_mean": np.zeros(80), "mel_std": np.float64(1), "audio_config": {"sample_rate": 22050}}, allow_pickle=True)
    check(path)
    other.write_bytes(path.read_bytes()[:128] + pickle.dumps(Harmful()))
    for broken in (other, tmp_path / "none.npy"):
        with pytest.raises(WeightsError, match="is not loaded"):
            check(broken)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("it ran",)


def test_tempo_changes_the_length_and_not_the_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    for speed in (0.25, 0.7, 1.5, 4.0):
        faster = stretched(tone, 22050, speed)
        assert len(faster) == pytest.approx(22050 / speed, rel=0.1)
        crossings = np.count_nonzero(np.diff(np.signbit(faster)))
        assert crossings / 2 / (len(faster) / 22050) == pytest.approx(440, rel=0.05)
    assert stretched(tone, 22050, 1) is tone
