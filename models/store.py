"""Weights on disk: one folder per named model, with a manifest of what is in it, written whole or not at all.

<root>/<name>/            a finished model and its fireside.json
<root>/.partial/<name>/   one being made; what a killed import leaves behind: named by `broken`, resumed or replaced, never loaded
<root>/.locks/<name>      held while a model is made, so that two processes never make the same one
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from models.errors import WeightsError
from models.manifest import RESUME, Card, Progress, StoredModel, check_hashes, check_sizes, mend, read_manifest, sync_folder, write_manifest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
COQUI_NAME = re.compile(r"(tts_models)/([A-Za-z0-9_-]+)/([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")
CHUNK = 1 << 22


class Broken(NamedTuple):
    name: str
    why: str


class Builder:
    """Fills an empty folder with a model; `source` and `requested` as in the Card.

    `resumable` builders find in it what a killed run has left, and may note for the next one in RESUME what they began.
    """

    source: str
    requested = ""
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
    return coqui_slug(model) or (Path(model).expanduser().resolve().name if is_path(model) else model)


def is_path(model: str) -> bool:
    """Not a name in the store and not Coqui's."""
    return coqui_slug(model) is None and ("/" in model or model.startswith(("~", ".")))


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
        model = read_manifest(folder, name)
        check_sizes(model)
        return model

    def verify(self, name: str, deep: bool = False, progress: Progress = silent) -> StoredModel:
        """`get`, and with `deep` every sha256 too."""
        model = self.get(name)
        if deep:
            check_hashes(model, progress)
        return model

    def path(self, model: str) -> Path:
        """The folder of a store name, of an existing folder's path, or of a Coqui name that was pulled (here or into $TTS_HOME)."""
        if is_path(model):
            return _existing_folder(model)
        slug = coqui_slug(model)
        if slug and not (self.root / slug).exists() and _is_coqui_model(coqui_home() / slug):
            return coqui_home() / slug
        return self.get(slug or model).folder

    def licence(self, model: str) -> str:
        """As its import recorded it; `model` as for `path`."""
        folder = self.path(model)
        return self.get(folder.name).licence if folder.parent == self.root else "unknown"

    def add(self, name: str, build: Builder, *, replace: bool = False, progress: Progress = silent) -> StoredModel:
        """Make a model and take it in, whole or not at all. A sound one of that name and source is returned as it is unless `replace`.

        Waits while another process makes the same model. Raises WeightsError, also for a name that another source has taken.
        """
        with self._lock(check_name(name), progress):
            if not replace and (there := self._sound(name)):
                check_origin(there, build.source, build.requested)
                return there
            folder = self._start(name, build)
            card = self._build(folder, build, progress)
            write_manifest(folder, name, card, progress)
            self._swap_in(folder, name)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove a model, or what a killed import left of it."""
        with self._lock(check_name(name), silent):
            found = [folder for folder in (self.root / name, self._partial(name), self._old(name)) if folder.exists()]
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
            else:
                if self._partial(name).is_dir():
                    yield None, Broken(name, f"{self._half_written(name, ' --replace')}; until then the old one is used")

    def _sound(self, name: str) -> StoredModel | None:
        try:
            return self.get(name)
        except WeightsError:
            return None

    def _absent(self, name: str) -> WeightsError:
        if self._partial(name).is_dir():
            return WeightsError(self._half_written(name))
        return WeightsError(f"model {name} is not in {self.root}: {mend(name)}")

    def _half_written(self, name: str, options: str = "") -> str:
        note = self._note(name).read_text(encoding="utf-8") if self._note(name).is_file() else ""
        source, _, requested = note.partition("\n")
        what = f"model {name}" if not options else f"a new model {name}"
        return f"{what} is half-written, its import was stopped or still runs: {mend(name, source, requested, options)}"

    def _partial(self, name: str) -> Path:
        return self.root / ".partial" / name

    def _note(self, name: str) -> Path:
        """Where the source of a half-written model is noted, and the revision that was asked for."""
        return self.root / ".partial" / f".{name}.source"

    def _old(self, name: str) -> Path:
        """Where a model that is being replaced waits for the new one to be in its place."""
        return self.root / ".partial" / f".{name}.old"

    def _start(self, name: str, build: Builder) -> Path:
        folder = self._partial(name)
        if folder.exists() and not build.resumable:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._note(name).write_text(f"{build.source}\n{build.requested}", encoding="utf-8")
        return folder

    def _build(self, folder: Path, build: Builder, progress: Progress) -> Card:
        try:
            return build(folder, progress)
        except BaseException as error:
            if not build.resumable or not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ImportError):
                raise missing_library(error) from error
            raise

    def _swap_in(self, folder: Path, name: str) -> None:
        """Rename into place. An old one is set aside first and deleted last, so that a kill in between costs a re-import, not a mixture."""
        target, old = self.root / name, self._old(name)
        if old.exists():
            shutil.rmtree(old)
        if target.exists():
            target.rename(old)
        folder.rename(target)
        (target / RESUME).unlink(missing_ok=True)
        sync_folder(self.root)
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


def missing_library(error: ImportError) -> WeightsError:
    return WeightsError(
        f"this needs a library that is not installed here ({error}): use .venv/cpu/bin/fireside, or .venv/gpu/bin/fireside "
        "on a GPU machine (`make serve` makes them)"
    )


def coqui_home() -> Path:
    """Where Coqui keeps the models it fetched by name: $TTS_HOME, else $XDG_DATA_HOME, else ~/.local/share; then `tts`."""
    base = os.environ.get("TTS_HOME") or os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "tts"


def _existing_folder(path: str) -> Path:
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise WeightsError(
            f"no model folder at {folder}: expected a stored model's name (`fireside models list`), one under `weights`, or a "
            f"folder's path; a hub id can be had with `fireside models pull {path}`"
        )
    return folder


def check_origin(model: StoredModel, source: str, requested: str) -> None:
    """Raises WeightsError where the model came from elsewhere, or from another revision than is asked for (empty: any)."""
    if model.source != source:
        raise WeightsError(f"model {model.name} is there already, from {model.source}: choose another --name, or --replace it")
    if requested not in ("", model.requested or "main", model.revision):
        got = f"revision {model.requested or 'main'} ({model.revision})"
        again = mend(model.name, source, requested, " --replace")
        raise WeightsError(f"model {model.name} is there at {got}, and {requested} is asked for: {again}, or choose another name")


def _is_coqui_model(folder: Path) -> bool:
    """Whole, as far as can be seen: Coqui fetches a zip into the folder and deletes it when all is unpacked, or the configuration last."""
    return (folder / "config.json").is_file() and any(folder.glob("*.pth*")) and not any(folder.glob("*.zip"))


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [entry for entry in root.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name)]
