"""What of a long reading is safely done: a line of JSON for each sentence, so that a run that was cut off is gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Terms = Mapping[str, Any]
"""What a reading was begun with, and has to be gone on with."""


@dataclass(frozen=True, slots=True)
class Seam:
    """The sentence from character `start` to `end` is spoken, and with it the audio is `samples` long."""

    start: int = 0
    end: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A journal as it was found. `complete`: all is spoken, and only the file was not in its place."""

    terms: Terms
    seam: Seam
    complete: bool


class Journal:
    """Begins with one write, so that there is no moment at which what was done is lost."""

    def __init__(self, path: Path, terms: Terms, seam: Seam) -> None:
        fresh = path.with_name(path.name + ".new")
        self._file = fresh.open("w", encoding="utf-8")
        self._add({"terms": terms})
        self.mark(seam)
        self.sync()
        fresh.replace(path)

    def mark(self, seam: Seam) -> None:
        self._add(asdict(seam))

    def complete(self) -> None:
        self._add({"complete": True})
        self.sync()

    def sync(self) -> None:
        """Survive a power cut too, up to here."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def _add(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def read(path: Path, samples: int) -> Record | None:
    """The last seam within the `samples` that are there; None where no run has begun. A line cut short does not count."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    entries = [entry for line in lines if (entry := _parsed(line))]
    if not entries or "terms" not in entries[0]:
        return None
    seams = [Seam(**entry) for entry in entries if entry.keys() == Seam.__dataclass_fields__.keys()]
    reached = [seam for seam in seams if seam.samples <= samples]
    return Record(entries[0]["terms"], reached[-1] if reached else Seam(), reached == seams and "complete" in entries[-1])


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
