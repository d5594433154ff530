"""The joe voice that `fireside models prepare` puts under FIRESIDE_HOME."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def joe() -> Path:
    folder = Path(os.environ.get("FIRESIDE_HOME", "~/.fireside")).expanduser() / "models" / "joe"
    if not folder.is_dir():
        pytest.fail(f"no voice at {folder}: run `fireside models prepare --profile cpu` with this FIRESIDE_HOME")
    return folder
