"""torch files are read as data."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import WeightsError
from models.imports.checkpoint import load_safely
from models.imports.files import builder_for
from models.store import Store
from tests.test_import_folder import coqui_folder

pytestmark = pytest.mark.engines


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"model": Attack(tmp_path / "ran")}, tmp_path / "model.pth")
    with pytest.raises(WeightsError, match="is not loaded"):
        load_safely(tmp_path / "model.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 half a zip", pickle.dumps([1], 2), b"\x80"])
def test_what_is_no_torch_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.pth"):
        load_safely(tmp_path / "model.pth")


def test_speakers_are_read_from_a_torch_file_too(tmp_path: Path) -> None:
    folder = coqui_folder(tmp_path)
    (folder / "speaker_ids.json").unlink()
    torch.save({"p226": 1, "p225": 0}, folder / "speaker_ids.pth")
    model = Store(tmp_path / "store").add("vctk", builder_for(folder))
    assert json.loads((model.folder / "config.json").read_text())["speakers"] == ["p225", "p226"]
