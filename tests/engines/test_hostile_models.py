"""Folders of Coqui models that lie: no code in them is run, and nothing outside them is opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from models.errors import WeightsError
from models.speech.coqui import CoquiRenderer
from tests.engines import small_vits, small_whole
from tests.engines.test_import_checkpoint import Attack

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fast_pitch")
    small_whole.fast_pitch(path)
    small_whole.vocoder(path / "vocoder")
    return path


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vits")
    small_vits.write(path)
    return path


def load(folder: Path) -> CoquiRenderer:
    return CoquiRenderer({"models": [{"name": "small", "path": str(folder), "licence": "MIT"}], "device": "cpu"})


def changed(source: Path, target: Path, **fields: Any) -> Path:
    """A copy whose configuration has other fields."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | fields))
    return target


@pytest.mark.parametrize("file", ["vits/model.pth", "whole/model.pth", "whole/vocoder/model.pth"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, request: pytest.FixtureRequest, file: str) -> None:
    kind, _, name = file.partition("/")
    folder = changed(request.getfixturevalue(kind), tmp_path / "model")
    torch.save({"model": Attack(tmp_path / "ran")}, folder / name)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load(folder)
    assert not (tmp_path / "ran").exists()


# Coqui's bark unpickles its checkpoints, and there are more ways to it than its name.
NAMES = [{"model": "bark"}, {"model": "Bark"}, {"model": "bark_generator"}, {"base_model": "bark"}, {"model": "os"}]


@pytest.mark.parametrize("fields", NAMES)
def test_no_other_kind_is_loaded_under_whatever_name(tmp_path: Path, whole: Path, fields: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match="not supported"):
        load(changed(whole, tmp_path / "model", **fields))


def test_no_module_is_imported_because_a_configuration_names_it(tmp_path: Path, vits: Path) -> None:
    with pytest.raises(WeightsError, match="no class of Coqui's"):
        load(changed(vits, tmp_path / "model", characters={"characters_class": "antigravity.geohash"}))


def test_nothing_outside_the_folder_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_vits.write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    names = ("speakers_file", "language_ids_file", "speaker_encoder_model_path", "speaker_encoder_config_path")
    config["model_args"] |= {name: f"http://127.0.0.1:1/{name}.json" for name in names}
    (tmp_path / "config.json").write_text(json.dumps(config))
    opened: list[str] = []
    really = fsspec.open
    monkeypatch.setattr(fsspec, "open", lambda path, *options, **more: opened.append(str(path)) or really(path, *options, **more))
    load(tmp_path)
    assert set(opened) == {str(tmp_path / "config.json")}


INCOMPLETE = [
    ("{", "not a JSON object"),
    (json.dumps({"model": "bark"}), "which is not supported"),
    (json.dumps({"model": "vits"}), "no checkpoint"),
]


@pytest.mark.parametrize(("config", "told"), INCOMPLETE)
def test_what_a_folder_lacks_is_told(tmp_path: Path, config: str, told: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(WeightsError, match=told):
        load(tmp_path)
