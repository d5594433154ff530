"""Recordings that voices are cloned from: which will do, and where they are kept."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from models.errors import WeightsError
from models.speech import reference
from models.speech.clones import Clone, clones, keep
from models.speech.reference import Reference


def recording(path: Path, seconds: float = 2.0, rate: int = 16000, loudness: float = 0.3, channels: int = 1) -> Path:
    tone = loudness * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat((tone * 32767).astype(np.int16), channels).tobytes())
    return path


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 2), (22050, 1)])
def test_a_recording_is_brought_to_one_channel_and_the_models_rate(tmp_path: Path, rate: int, channels: int) -> None:
    heard = reference.read(recording(tmp_path / "ann.wav", 2.0, rate, channels=channels))
    assert heard.seconds == pytest.approx(2.0, abs=0.01)
    assert np.sqrt(np.mean(heard.samples**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    assert not heard.cut


def test_of_a_long_recording_the_beginning_is_used(tmp_path: Path) -> None:
    heard = reference.read(recording(tmp_path / "ann.wav", 40))
    assert (heard.seconds, heard.cut) == (30, True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"seconds": 0.5}, r"0\.50 s long: expected at least 1 s"),
        ({"seconds": 0}, r"0\.00 s long|cannot be read"),
        ({"loudness": 0}, "is silent"),
    ],
)
def test_a_recording_that_will_not_do_is_refused(tmp_path: Path, content: dict[str, float], why: str) -> None:
    with pytest.raises(WeightsError, match=why):
        reference.read(recording(tmp_path / "ann.wav", **content))


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_text("Dear Ann,")
    for path in (tmp_path / "ann.wav", tmp_path / "none.wav", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read as audio"):
            reference.read(path)


def test_a_voice_keeps_its_recording_and_its_language(tmp_path: Path) -> None:
    kept = keep(tmp_path / "voices", "ann", recording(tmp_path / "Take 3.WAV"), "de")
    folder = tmp_path / "voices" / "ann"
    assert kept == Clone("ann", folder / "reference.wav", folder, "de")
    assert clones(tmp_path / "voices") == [kept]
    assert kept.recording.read_bytes() == (tmp_path / "Take 3.WAV").read_bytes()


def test_a_recording_that_was_dropped_there_is_a_voice(tmp_path: Path) -> None:
    for name in ("bob.wav", "ann.wav", "notes.txt", ".hidden.wav", "no name!.wav"):
        recording(tmp_path / name)
    (tmp_path / "carl").mkdir()
    recording(tmp_path / "carl" / "holiday.wav")
    (tmp_path / "empty").mkdir()
    found = clones(tmp_path)
    assert [(clone.name, clone.recording.name) for clone in found] == [("ann", "ann.wav"), ("bob", "bob.wav"), ("carl", "holiday.wav")]
    assert found[0].folder == tmp_path / "ann"


@pytest.mark.parametrize("name", ["../ann", "", "a/b", ".ann", "ann ", "ann\n"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="cannot name a voice"):
        keep(tmp_path / "voices", name, recording(tmp_path / "ann.wav"))
    assert not (tmp_path / "voices").exists()


def test_a_voice_is_replaced_only_on_demand(tmp_path: Path) -> None:
    home = tmp_path / "voices"
    keep(home, "ann", recording(tmp_path / "one.wav"))
    with pytest.raises(WeightsError, match="--replace"):
        keep(home, "ann", recording(tmp_path / "two.wav", 3))
    kept = keep(home, "ann", tmp_path / "two.wav", replace=True)
    assert [clone.checksum() for clone in clones(home)] == [kept.checksum()]
    assert [path.name for path in home.iterdir()] == ["ann"]


@pytest.mark.parametrize("source", ["voices/ann.wav", "two.wav"])
def test_a_recording_that_was_dropped_there_is_replaced_too(tmp_path: Path, source: str) -> None:
    home = tmp_path / "voices"
    home.mkdir()
    for path in ("voices/ann.wav", "voices/ann.flac", "voices/bob.wav", "two.wav"):
        recording(tmp_path / path, 3 if path == source else 2)
    wanted = (tmp_path / source).read_bytes()
    kept = keep(home, "ann", tmp_path / source, replace=True)
    assert [clone.name for clone in clones(home)] == ["ann", "bob"]
    assert clones(home)[0] == kept
    assert kept.recording.read_bytes() == wanted
    assert sorted(path.name for path in home.iterdir()) == ["ann", "bob.wav"]


def test_a_voice_that_no_model_can_clone_leaves_the_old_one_in_its_place(tmp_path: Path) -> None:
    home = tmp_path / "voices"
    old = keep(home, "ann", recording(tmp_path / "one.wav"))

    def refuse(clone: Clone, heard: Reference) -> None:
        raise WeightsError(f"{heard.seconds:.0f} s of {clone.recording.name} will not do")

    with pytest.raises(WeightsError, match=r"3 s of reference\.wav will not do"):
        keep(home, "ann", recording(tmp_path / "two.wav", 3), replace=True, prepare=refuse)
    assert (clones(home), [path.name for path in home.iterdir()]) == ([old], ["ann"])
    assert old.recording.read_bytes() == (tmp_path / "one.wav").read_bytes()


def test_a_broken_card_is_named(tmp_path: Path) -> None:
    kept = keep(tmp_path / "voices", "ann", recording(tmp_path / "ann.wav"))
    (kept.folder / "voice.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"voice\.json is no JSON object"):
        clones(tmp_path / "voices")
