"""Weights on disk: one folder per named model, with a manifest of what is in it, written whole or not at all.

<root>/<name>/            a finished model and its fireside.json
<root>/.partial/<name>/   one being made; what a killed import leaves behind: named by `broken`, resumed or replaced, never loaded
<root>/.locks/<name>      held while a model is made, so that two processes never make the same one
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.errors import WeightsError

Kind = Literal["text", "speech", "listening"]
Format = Literal["transformers", "coqui", "ctranslate2"]
Progress = Callable[[str, int, int], None]
"""`progress(stage, done, total)`: bytes or steps; a total of 0 means that it is not known."""

MANIFEST = "fireside.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
COQUI_NAME = re.compile(r"(tts_models)/([A-Za-z0-9_-]+)/([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")
CHUNK = 1 << 22


class Card(BaseModel):
    """What an importer knows about the model it made. `details` is for the engine: languages, speakers, phonemes."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    format: Format
    source: str
    revision: str = ""
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


class Broken(NamedTuple):
    name: str
    why: str


class Builder:
    """Fills an empty folder with a model. `resumable` builders find in it what a killed run has left; `source` as in the Card."""

    source: str
    resumable = False

    def __call__(self, folder: Path, progress: Progress) -> Card:
        raise NotImplementedError


def silent(stage: str, done: int, total: int) -> None:
    """A Progress that tells nobody."""


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise WeightsError(
            f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-', starting with a letter or digit, at most 100"
        )
    return name


def coqui_slug(name: str) -> str | None:
    """`tts_models--en--vctk--vits` for `tts_models/en/vctk/vits`; None for what is no Coqui name."""
    match = COQUI_NAME.fullmatch(name)
    return "--".join(match.groups()) if match and ".." not in name else None


def name_of(model: str) -> str:
    """What to call a model: its name in the store, the slug of a Coqui name, or the last part of a path."""
    return coqui_slug(model) or (Path(model).expanduser().resolve().name if _looks_like_path(model) else model)


class Store:
    """The models under `root` (`settings.root / "models"`). Nothing here imports torch or touches the network."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self) -> tuple[StoredModel, ...]:
        """Every model whose files are all there."""
        return tuple(model for model, _ in self._survey() if model)

    def broken(self) -> tuple[Broken, ...]:
        """Every model that cannot be loaded, and why."""
        return tuple(fault for _, fault in self._survey() if fault)

    def get(self, name: str) -> StoredModel:
        """A model whose files have the recorded sizes. Raises WeightsError saying what is missing and which command mends it."""
        folder = self.root / check_name(name)
        if not folder.is_dir():
            raise self._absent(name)
        model = _read_manifest(folder, name)
        _check_sizes(model)
        return model

    def verify(self, name: str, deep: bool = False, progress: Progress = silent) -> StoredModel:
        """`get`, and with `deep` every sha256 too."""
        model = self.get(name)
        if deep:
            _check_hashes(model, progress)
        return model

    def path(self, model: str) -> Path:
        """The folder of a store name, of an existing folder's path, or of a Coqui name that was pulled (here or into $TTS_HOME)."""
        slug = coqui_slug(model)
        if slug is None and _looks_like_path(model):
            return _existing_folder(model)
        name = slug or model
        cached = coqui_home() / slug if slug else None
        if cached and cached.is_dir() and not (self.root / name).exists():
            return cached
        return self.get(name).folder

    def add(self, name: str, build: Builder, *, replace: bool = False, progress: Progress = silent) -> StoredModel:
        """Make a model and take it in, whole or not at all. A sound one of that name and source is returned as it is unless `replace`.

        Waits while another process makes the same model. Raises WeightsError, also for a name that another source has taken.
        """
        with self._lock(check_name(name), progress):
            if not replace and (there := self._sound(name)):
                return _same_source(there, build)
            folder = self._start(name, build)
            card = self._build(folder, build, progress)
            _write_manifest(folder, name, card, progress)
            self._swap_in(folder, name)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove a model, or what a killed import left of it."""
        with self._lock(check_name(name), silent):
            found = [folder for folder in (self.root / name, self._partial(name)) if folder.exists()]
            if not found:
                raise WeightsError(f"model {name} is not in {self.root}: `fireside models list` names those that are")
            for folder in found:
                shutil.rmtree(folder)
            self._note(name).unlink(missing_ok=True)

    def _survey(self) -> Iterator[tuple[StoredModel | None, Broken | None]]:
        finished = {folder.name for folder in _folders(self.root)}
        for name in sorted(finished | {folder.name for folder in _folders(self.root / ".partial")}):
            try:
                yield self.get(name), None
            except WeightsError as error:
                yield None, Broken(name, str(error))

    def _sound(self, name: str) -> StoredModel | None:
        try:
            return self.get(name)
        except WeightsError:
            return None

    def _absent(self, name: str) -> WeightsError:
        if self._partial(name).is_dir():
            source = self._note(name).read_text(encoding="utf-8") if self._note(name).is_file() else ""
            return WeightsError(f"model {name} is half-written, its import was stopped or still runs: {_mend(name, source)}")
        return WeightsError(f"model {name} is not in {self.root}: {_mend(name)}")

    def _partial(self, name: str) -> Path:
        return self.root / ".partial" / name

    def _note(self, name: str) -> Path:
        """Where the source of a half-written model is noted."""
        return self.root / ".partial" / f".{name}.source"

    def _start(self, name: str, build: Builder) -> Path:
        folder = self._partial(name)
        if folder.exists() and not build.resumable:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._note(name).write_text(build.source, encoding="utf-8")
        return folder

    def _build(self, folder: Path, build: Builder, progress: Progress) -> Card:
        try:
            return build(folder, progress)
        except BaseException:
            if not build.resumable or not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def _swap_in(self, folder: Path, name: str) -> None:
        """Rename into place. An old one is set aside first and deleted last, so that a kill in between costs a re-import, not a mixture."""
        target, old = self.root / name, self.root / ".partial" / f".{name}.old"
        if old.exists():
            shutil.rmtree(old)
        if target.exists():
            target.rename(old)
        folder.rename(target)
        _sync_folder(self.root)
        shutil.rmtree(old, ignore_errors=True)
        self._note(name).unlink(missing_ok=True)

    @contextmanager
    def _lock(self, name: str, progress: Progress) -> Iterator[None]:
        path = self.root / ".locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another process that makes the same model", 0, 0)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def coqui_home() -> Path:
    """Where Coqui keeps the models it fetched by name: $TTS_HOME, else $XDG_DATA_HOME, else ~/.local/share; then `tts`."""
    base = os.environ.get("TTS_HOME") or os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "tts"


def _looks_like_path(model: str) -> bool:
    return "/" in model or model.startswith(("~", "."))


def _existing_folder(path: str) -> Path:
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise WeightsError(
            f"no model folder at {folder}: expected a stored model's name (`fireside models list`), one under `weights`, or a "
            f"folder's path; a hub id can be had with `fireside models pull {path}`"
        )
    return folder


def _same_source(model: StoredModel, build: Builder) -> StoredModel:
    if model.source != build.source:
        raise WeightsError(f"model {model.name} is there already, from {model.source}: choose another --name, or --replace it")
    return model


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [entry for entry in root.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name)]


def _read_manifest(folder: Path, name: str) -> StoredModel:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise WeightsError(f"model {name} has no {MANIFEST}: it is not whole; {_mend(name)}") from None
    except (ValidationError, OSError) as error:
        raise WeightsError(f"model {name}: its {MANIFEST} cannot be read ({_first_line(error)}); {_mend(name)}") from error
    return StoredModel(**manifest.model_dump(), folder=folder)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'content'}: {fault['msg']}"
    return str(error)


def _check_sizes(model: StoredModel) -> None:
    faults = [fault for file in model.files if (fault := _size_fault(model.folder, file))]
    if faults:
        raise WeightsError(f"model {model.name} is broken: {'; '.join(faults[:3])}; {_mend(model.name, model.source)}")


def _size_fault(folder: Path, file: StoredFile) -> str:
    try:
        size = (folder / file.path).stat().st_size
    except OSError:
        return f"{file.path} is missing"
    return "" if size == file.size else f"{file.path} has {size} bytes instead of {file.size}"


def _check_hashes(model: StoredModel, progress: Progress) -> None:
    done = 0
    for file in model.files:
        if sha256(model.folder / file.path) != file.sha256:
            mend = _mend(model.name, model.source, " --replace")  # its sizes are right: without it the model would be left as it is
            raise WeightsError(f"model {model.name} is broken: the content of {file.path} has changed; {mend}")
        done += file.size
        progress(f"checking {model.name}", done, model.size)


def _mend(name: str, source: str = "", options: str = "") -> str:
    """The command that makes a model again, from what it was made from."""
    kind, _, origin = source.partition(":")
    if kind == "hub":
        return f"run `fireside models pull {origin} --name {name}{options}`"
    if kind == "path":
        return f"run `fireside models import {shlex.quote(origin)} --name {name}{options}`"
    return f"run `fireside models pull {name.replace('--', '/') if name.startswith('tts_models--') else name}{options}`"


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, name: str, card: Card, progress: Progress) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
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
    _sync_folder(folder)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
