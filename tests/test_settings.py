from pathlib import Path

import pytest

import settings
from models.errors import SettingsError


def profile(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_the_environment_wins_over_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_TEXT__MOCK__TTFT", "0.5")
    loaded = settings.load(profile(tmp_path, "text: {mock: {ttft: 0.1, tokens_per_second: 7}}"))
    assert (loaded.text.mock.ttft, loaded.text.mock.tokens_per_second) == (0.5, 7)


def test_an_unknown_key_is_refused_with_its_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"speech\.devise: no such key; did you mean speech\.device\?"):
        settings.load(profile(tmp_path, "speech: {devise: cpu}"))


def test_an_unknown_variable_is_refused_with_its_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_SPEACH__DEVICE", "cpu")
    with pytest.raises(SettingsError, match="FIRESIDE_SPEACH__DEVICE is no setting; did you mean speech"):
        settings.load("mock")


def test_an_unknown_nested_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_SPEECH__DEVISE", "cpu")
    with pytest.raises(SettingsError, match=r"did you mean speech\.device"):
        settings.load("mock")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(profile(tmp_path, "server: {port: 99999}\ntext: {engine: gpt}"))
    assert "server.port" in str(caught.value)
    assert "text.engine" in str(caught.value)


@pytest.mark.parametrize("content", ["- a list", "a: [", "text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        settings.load(profile(tmp_path, content))


def test_a_missing_profile_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no profile named 'cup': there are cpu.*mock"):
        settings.load("cup")


def test_nothing_to_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing to serve"):
        settings.load(profile(tmp_path, "text: {engine: none}\nspeech: {engine: none}"))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load("mock").server.port = 1  # type: ignore[misc]
