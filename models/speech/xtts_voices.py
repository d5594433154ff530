"""What XTTS keeps of a voice, and how it comes by that of a cloned one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.errors import FiresideError
from models.speech import reference
from models.speech.clones import Clone, clones
from models.speech.reference import Reference

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Conditioning:
    """`latents` [1, N, C] for the language model, `embedding` [1, D, 1] for the vocoder. `language` is "" for the model's first."""

    latents: Tensor
    embedding: Tensor
    language: str = ""
    description: str = ""

    def to(self, device: object) -> Conditioning:
        return replace(self, latents=self.latents.to(device), embedding=self.embedding.to(device))


class Cloner(Protocol):
    def condition(self, heard: Reference) -> Conditioning: ...

    @property
    def checksum(self) -> str: ...

    def language(self, wanted: str) -> str: ...


def cloned(model: Cloner, home: Path) -> Iterator[tuple[str, Conditioning]]:
    """The voices of `home` by name. One that cannot be cloned is told of, and left out: the others are to speak."""
    for clone in clones(home):
        try:
            yield clone.name, condition(model, clone)
        except FiresideError as error:
            log.warning("the voice %s is left out: %s", clone.name, error)


def condition(model: Cloner, clone: Clone) -> Conditioning:
    """From the file that an earlier start has left, or from the recording. Raises WeightsError, InvalidInput for its language."""
    if clone.language:
        model.language(clone.language)
    path = clone.folder / f"{model.checksum[:16]}-{clone.checksum()[:16]}.safetensors"
    made = _read(path) or _make(model, clone, path)
    return replace(made, language=clone.language, description=f"cloned from {clone.recording.name}")


def _read(path: Path) -> Conditioning | None:
    try:
        return Conditioning(**load_file(path))
    except (OSError, SafetensorError, TypeError):
        return None


def _make(model: Cloner, clone: Clone, path: Path) -> Conditioning:
    heard = reference.read(clone.recording)
    if heard.cut:
        log.warning("the voice %s is cloned from the first %g s of %s", clone.name, reference.LONGEST, clone.recording.name)
    made = model.condition(heard).to("cpu")
    _keep(made, path)
    return made


def _keep(made: Conditioning, path: Path) -> None:
    """What was made of other recordings or by models that have changed stays: they may come back."""
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"latents": made.latents.contiguous(), "embedding": made.embedding.contiguous()}, draft)
        draft.chmod(0o644)  # safetensors leaves files to their owner alone; a container serves as another user
        draft.replace(path)
    except OSError as error:
        log.warning("%s cannot be written (%s): the voice is cloned again at every start", path, error.strerror)
