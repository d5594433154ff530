"""Models with speakers behind the Renderer contract, on small random VITS models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.base import SpeechJob
from models.errors import UnknownVoice, WeightsError
from models.speech.coqui import CoquiRenderer
from tests.engines import small_vits

pytestmark = pytest.mark.engines


def renderer(folder: Path) -> CoquiRenderer:
    return CoquiRenderer({"models": [{"name": "vctk", "path": str(folder)}], "device": "cpu"})


def said(speaking: CoquiRenderer, voice: str) -> np.ndarray:
    job = SpeechJob("ann", 0, "the quick brown fox jumps over the lazy dog.", voice, seed=1)
    return np.concatenate([audio.samples for audio in speaking.render(job, lambda: False)])


def ids(speaking: CoquiRenderer) -> list[str]:
    return [voice.id for voice in speaking.voices()]


def test_each_speaker_is_a_voice_of_its_own(tmp_path: Path) -> None:
    small_vits.write(tmp_path, ["p225", "p226"])
    speaking = renderer(tmp_path)
    assert ids(speaking) == ["vctk/p225", "vctk/p226"]
    assert not np.array_equal(said(speaking, "vctk/p225"), said(speaking, "vctk/p226"))
    with pytest.raises(UnknownVoice, match="vctk/p225, vctk/p226"):
        said(speaking, "vctk")


def test_a_name_is_shown_without_the_newline_that_vctk_has_in_it(tmp_path: Path) -> None:
    small_vits.write(tmp_path, ["ED\n", "p225"])
    speaking = renderer(tmp_path)
    assert ids(speaking) == ["vctk/ED", "vctk/p225"]
    assert len(said(speaking, "vctk/ED"))


def test_a_text_of_which_the_voice_knows_no_letter_is_a_short_silence(tmp_path: Path) -> None:
    small_vits.write(tmp_path)
    job = SpeechJob("ann", 0, "слово, ١٢٣.", "vctk", seed=1)
    [audio] = renderer(tmp_path).render(job, lambda: False)
    assert (len(audio.samples), audio.words) == (round(0.1 * audio.rate), ())


def test_a_model_with_one_speaker_is_one_voice_by_its_own_name(tmp_path: Path) -> None:
    small_vits.write(tmp_path, ["ann"])
    speaking = renderer(tmp_path)
    assert ids(speaking) == ["vctk"]
    assert len(said(speaking, "vctk"))


@pytest.mark.parametrize(("speakers", "voices"), [(["ann"], ["vctk"]), (["ann", "bob"], ["vctk/ann", "vctk/bob"])])
def test_d_vectors_are_looked_for_beside_the_model(tmp_path: Path, speakers: list[str], voices: list[str]) -> None:
    small_vits.write_with_d_vectors(tmp_path, speakers)
    speaking = renderer(tmp_path)
    assert ids(speaking) == voices
    assert len({said(speaking, voice).tobytes() for voice in voices}) == len(voices)


def test_a_model_for_speakers_without_any_is_refused(tmp_path: Path) -> None:
    small_vits.write_with_d_vectors(tmp_path, ["ann"])
    (tmp_path / "speakers.json").write_text("{}")
    with pytest.raises(WeightsError, match="no speakers"):
        renderer(tmp_path)
