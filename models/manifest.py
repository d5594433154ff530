"""What a model's manifest says of it, and whether its files are so: sizes and sha256, source, revision, licence."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.errors import WeightsError

Kind = Literal["text", "speech", "listening"]
Format = Literal["transformers", "coqui", "ctranslate2"]
Progress = Callable[[str, int, int], None]
"""`progress(stage, done, total)`: bytes or steps; a total of 0 means that it is not known."""

MANIFEST = "fireside.json"
RESUME = ".fireside-revision"
"""What a resumable builder notes for its next run: kept until the model is in its place, and no part of it."""


class Card(BaseModel):
    """What an importer knows about the model it made. `requested` is the branch or tag that was `revision` then.

    `details` is for the engine: languages, speakers, phonemes.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    format: Format
    source: str
    revision: str = ""
    requested: str = ""
    licence: str = "unknown"
    details: dict[str, Any] = {}


class StoredFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError("a file of a model must lie inside its folder")
        return path


class Manifest(Card):
    name: str
    created: datetime
    files: tuple[StoredFile, ...] = Field(min_length=1)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class StoredModel(Manifest):
    folder: Path = Field(exclude=True)


def read_manifest(folder: Path, name: str) -> StoredModel:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise WeightsError(f"model {name} has no {MANIFEST}: it is not whole; {mend(name)}") from None
    except (ValidationError, OSError) as error:
        raise WeightsError(f"model {name}: its {MANIFEST} cannot be read ({_first_line(error)}); {mend(name)}") from error
    return StoredModel(**manifest.model_dump(), folder=folder)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'content'}: {fault['msg']}"
    return str(error)


def check_sizes(model: StoredModel) -> None:
    faults = [fault for file in model.files if (fault := _size_fault(model.folder, file))]
    if faults:
        raise WeightsError(f"model {model.name} is broken: {'; '.join(faults[:3])}; {mend(model.name, model.source, model.requested)}")


def _size_fault(folder: Path, file: StoredFile) -> str:
    try:
        size = (folder / file.path).stat().st_size
    except OSError:
        return f"{file.path} is missing"
    return "" if size == file.size else f"{file.path} has {size} bytes instead of {file.size}"


def check_hashes(model: StoredModel, progress: Progress) -> None:
    done = 0
    for file in model.files:
        if sha256(model.folder / file.path) != file.sha256:
            # Its sizes are right: without --replace the model would be left as it is.
            again = mend(model.name, model.source, model.requested, " --replace")
            raise WeightsError(f"model {model.name} is broken: the content of {file.path} has changed; {again}")
        done += file.size
        progress(f"checking {model.name}", done, model.size)


def mend(name: str, source: str = "", requested: str = "", options: str = "") -> str:
    """The command that makes a model again, from what it was made from."""
    kind, _, origin = source.partition(":")
    if kind == "hub":
        pin = "" if requested in ("", "main") else f" --revision {shlex.quote(requested)}"
        return f"run `fireside models pull {origin} --name {name}{pin}{options}`"
    if kind == "path":
        return f"run `fireside models import {shlex.quote(origin)} --name {name}{options}`"
    return f"run `fireside models pull {name.replace('--', '/') if name.startswith('tts_models--') else name}{options}`"


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, name: str, card: Card, progress: Progress) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path not in (folder / MANIFEST, folder / RESUME))
    total, done, files = sum(path.stat().st_size for path in paths), 0, []
    for path in paths:
        files.append(StoredFile(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=sha256(path)))
        path.chmod(0o644)  # some writers leave files to their owner alone; a container serves as another user
        _sync(path)
        done += files[-1].size
        progress("checksums", done, total)
    manifest = Manifest(name=name, created=datetime.now(UTC), files=tuple(files), **card.model_dump())
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _sync(folder / MANIFEST)
    sync_folder(folder)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
