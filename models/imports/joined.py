"""A model whose files lie in several Python packages, some of them in parts: a package index takes no large ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.errors import WeightsError
from models.imports.folder import finish
from models.imports.package import locate, version
from models.manifest import Card, Progress
from models.store import CHUNK, Builder


@dataclass
class JoinedBuilder(Builder):
    """`files` are the model's, each with its parts in their order as `package/path/in/it`; `sha256` of those that have one is checked."""

    files: Mapping[str, Sequence[str]]
    sha256: Mapping[str, str]
    licence: str

    def __post_init__(self) -> None:
        self.source = f"packages:{'+'.join(self._packages())}"

    def __call__(self, folder: Path, progress: Progress) -> Card:
        parts = {file: [_located(part) for part in parts] for file, parts in self.files.items()}
        total, done = sum(path.stat().st_size for paths in parts.values() for path in paths), 0
        for file, paths in parts.items():
            target = _inside(folder, file)
            for size in _join(paths, target, self.sha256.get(file, "")):
                done += size
                progress("copying", done, total)
        return finish(folder, self.source, ", ".join(filter(None, map(version, self._packages()))), self.licence)

    def _packages(self) -> list[str]:
        return sorted({part.partition("/")[0] for parts in self.files.values() for part in parts})


def _located(part: str) -> Path:
    package, _, file = part.partition("/")
    return locate(package, file)


def _inside(folder: Path, file: str) -> Path:
    if PurePosixPath(file).name != file:
        raise WeightsError(f"{file!r} cannot be a model's file: expected a name without a folder")
    return folder / file


def _join(paths: Sequence[Path], target: Path, expected: str) -> Iterator[int]:
    """The sizes of what was written, as it is. Raises WeightsError where the whole has not the expected sha256."""
    digest = hashlib.sha256()
    with target.open("wb") as writer:
        for path in paths:
            with path.open("rb") as reader:
                while block := reader.read(CHUNK):
                    digest.update(block)
                    writer.write(block)
                    yield len(block)
    if expected and digest.hexdigest() != expected:
        raise WeightsError(
            f"{target.name} of {', '.join(path.name for path in paths)} has the sha256 {digest.hexdigest()} instead of {expected}: "
            "install the packages of its profile anew"
        )
