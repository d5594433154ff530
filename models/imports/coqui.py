"""A model by Coqui's own name, fetched through Coqui's manager into the store. Networked, and only on the user's word."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import WeightsError
from models.imports.download import failed
from models.imports.folder import copy_tree, finish, make_portable
from models.manifest import Card, Progress
from models.store import Builder, coqui_slug
from models.terms import CPML_TEXT

Agree = Callable[[str], bool]
"""Shown the terms, answers whether the user agrees. Asked, never assumed."""

LICENCES = {"apache 2.0": "Apache-2.0", "apache2": "Apache-2.0", "mpl": "MPL-2.0", "mpl2": "MPL-2.0", "mpl 2.0": "MPL-2.0", "mit": "MIT"}


def disagree(terms: str) -> bool:
    """For where there is nobody to ask."""
    return False


@dataclass
class CoquiBuilder(Builder):
    name: str
    licence: str
    agree: Agree = disagree

    def __post_init__(self) -> None:
        self.source = f"coqui:{self.name}"

    def __call__(self, folder: Path, progress: Progress) -> Card:
        if not (slug := coqui_slug(self.name)):
            raise WeightsError(
                f"{self.name!r} is no Coqui name: expected tts_models/<language>/<dataset>/<model>, e.g. tts_models/en/vctk/vits"
            )
        progress("loading Coqui", 0, 0)
        manager, item = _manager(self.name, folder / ".coqui")
        target = folder / ".coqui" / "tts" / slug
        self._ask_terms(item, target)
        progress(f"downloading {self.name}", 0, 0)
        copy_tree(_download(manager, self.name, item, target), folder, progress)
        if vocoder := item.get("default_vocoder"):
            self._add_vocoder(manager, vocoder, folder, progress)
        shutil.rmtree(folder / ".coqui")
        licence = str(item.get("license") or "unknown").strip()
        return finish(folder, self.source, "", self.licence if self.licence != "unknown" else LICENCES.get(licence.lower(), licence))

    def _add_vocoder(self, manager: Any, name: str, folder: Path, progress: Progress) -> None:
        """The one that Coqui itself speaks with, in `vocoder/`: the engine looks for it there."""
        progress(f"downloading {name}", 0, 0)
        item = manager._set_model_item(name)[0]
        fetched = _download(manager, name, item, folder / ".coqui" / "tts" / name.replace("/", "--"))
        copy_tree(fetched, folder / "vocoder", progress)
        make_portable(folder / "vocoder")

    def _ask_terms(self, item: Any, folder: Path) -> None:
        """Coqui's manager looks for this file, and asks on its own terminal where it finds none."""
        if not item.get("tos_required"):
            return
        if not self.agree(CPML_TEXT):
            raise WeightsError(
                f"{self.name} is under terms that you have to agree to: read {CPML_TEXT}, and if you agree set speech.agreed_terms: [CPML] "
                "in the profile, or pull it from a terminal and answer there"
            )
        folder.mkdir(parents=True)
        (folder / "tos_agreed.txt").write_text("I have read, understood and agreed to the Terms and Conditions.", encoding="utf-8")


def _manager(name: str, folder: Path) -> tuple[Any, Any]:
    from TTS.utils.manage import ModelManager

    manager = ModelManager(output_prefix=folder, progress_bar=False)
    try:
        return manager, manager._set_model_item(name)[0]
    except KeyError as error:
        raise WeightsError(f"Coqui knows no {name}: `tts --list_models` shows its names") from error


def _download(manager: Any, name: str, item: Any, target: Path) -> Path:
    """The folder with the model: `target`, or one in the hub's cache for those that Coqui keeps there."""
    import requests

    try:
        folder = Path(manager.create_dir_and_download_model(name, item, target))
    except (requests.RequestException, zipfile.BadZipFile, OSError) as error:
        raise failed(name, error) from error
    if not any(folder.rglob("*.pth*")):
        raise WeightsError(f"{name} arrived without a checkpoint: run the same command again")
    return folder
