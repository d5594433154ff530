"""Which importer a path on disk needs."""

from __future__ import annotations

from pathlib import Path

from models.errors import WeightsError
from models.imports.folder import FolderBuilder
from models.imports.gguf import GGUFBuilder
from models.imports.piper import PiperBuilder
from models.store import Builder


def builder_for(path: Path, *, source: str = "", revision: str = "", licence: str = "unknown") -> Builder:
    """A folder, a .gguf or a Piper .onnx. Raises WeightsError for anything else; `source` defaults to the path."""
    path = path.expanduser().resolve()
    source = source or f"path:{path}"
    if not path.exists():
        raise WeightsError(f"nothing at {path}: give a model folder, a .gguf file or a Piper voice's .onnx file")
    if path.is_dir():
        return FolderBuilder(path, source, revision, licence)
    if path.suffix == ".gguf":
        return GGUFBuilder(path, source, revision, licence)
    if path.suffix == ".onnx":
        return PiperBuilder(path, source, revision, licence)
    raise WeightsError(f"{path.name} is no kind of model file known here: expected a folder, a .gguf or a Piper voice's .onnx")
