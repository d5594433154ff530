"""Where cloned voices lie. Their recordings are kept, so that another model can clone them too.

<home>/<name>/          the recording, voice.json, and what each model keeps of it
<home>/<name>.wav       a recording that somebody has put there: a voice as well, from the next start on
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsError
from models.manifest import sha256
from models.speech import reference
from models.speech.reference import Reference
from models.store import NAME

CARD = "voice.json"
RECORDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac")


@dataclass(frozen=True, slots=True)
class Clone:
    """`folder` is where models keep what they make of the recording; `language` is "" for the model's first."""

    name: str
    recording: Path
    folder: Path
    language: str = ""

    def checksum(self) -> str:
        return sha256(self.recording)


def clones(home: Path) -> list[Clone]:
    """Sorted by name. Raises WeightsError for a voice.json that is none."""
    found = {clone.name: clone for path in _entries(home) if (clone := _clone(home, path))}
    return [found[name] for name in sorted(found)]


def keep(
    home: Path,
    name: str,
    recording: Path,
    language: str = "",
    *,
    replace: bool = False,
    prepare: Callable[[Clone, Reference], None] = lambda clone, heard: None,
) -> Clone:
    """Take a recording in as the voice `name`, whole or not at all: what `prepare` adds to its folder belongs to it.

    Raises WeightsError for a name or a recording that will not do.
    """
    if not NAME.fullmatch(name):
        raise WeightsError(
            f"{name!r} cannot name a voice: use letters, digits, '.', '_' and '-', starting with a letter or digit, at most 100"
        )
    heard = reference.read(recording)
    if name in {clone.name for clone in clones(home)} and not replace:
        raise WeightsError(f"there is a voice {name} in {home} already: choose another name, or --replace it")
    draft = home / f".{name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        made = _written(draft, name, recording, language)
        prepare(made, heard)
        shutil.rmtree(home / name, ignore_errors=True)
        draft.replace(home / name)
        _drop(home, name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Clone(name, home / name / made.recording.name, home / name, language)


def _drop(home: Path, name: str) -> None:
    """The recordings of that name that were put there: they would be the voice still, before what is in its folder."""
    for path in list(_entries(home)):
        if path.is_file() and path.stem == name:
            path.unlink()


def _written(folder: Path, name: str, recording: Path, language: str) -> Clone:
    kept = folder / f"reference{recording.suffix.lower()}"
    shutil.copyfile(recording, kept)
    (folder / CARD).write_text(json.dumps({"language": language}, indent=2) + "\n", encoding="utf-8")
    return Clone(name, kept, folder, language)


def _entries(home: Path) -> Iterator[Path]:
    """Files first: the folder beside a dropped recording is where it is kept."""
    entries = sorted(home.iterdir()) if home.is_dir() else []
    yield from (path for path in entries if path.is_dir() and NAME.fullmatch(path.name))
    yield from (path for path in entries if path.is_file() and _is_recording(path) and NAME.fullmatch(path.stem))


def _clone(home: Path, path: Path) -> Clone | None:
    name, folder = (path.name, path) if path.is_dir() else (path.stem, home / path.stem)
    recording = path if path.is_file() else next((file for file in sorted(path.iterdir()) if _is_recording(file)), None)
    return Clone(name, recording, folder, _language(folder / CARD)) if recording else None


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in RECORDINGS and not path.name.startswith(".")


def _language(card: Path) -> str:
    if not card.is_file():
        return ""
    try:
        return str(json.loads(card.read_text(encoding="utf-8")).get("language", ""))
    except (ValueError, AttributeError) as error:
        raise WeightsError(f'{card} is no JSON object: expected {{"language": "de"}}, or no such file') from error
