"""Weights from the Hugging Face hub, or a mirror of it (HF_ENDPOINT). The one importer that needs the network besides Coqui's.

The revision is resolved to a commit first, and that commit is what is fetched and recorded. A pull that was cut goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from models.errors import WeightsError
from models.imports.download import Remote, failed, fetch
from models.imports.folder import finish
from models.manifest import RESUME, Card, Progress
from models.store import Builder
from models.terms import is_xtts

ALWAYS = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "LICENSE*", "README.md")
NEVER = ("original/*", "consolidated*", "onnx/*", "openvino/*", "*/.*", ".*")
# The first of these a repository has is what a model is made from; pickles of text models are not fetched.
WEIGHTS = ("*.safetensors", "model.bin", "*.pth")
AGAIN = "run it again, it goes on where it stopped"


@dataclass
class HubBuilder(Builder):
    hub: str
    revision: str
    licence: str

    resumable = True

    def __post_init__(self) -> None:
        self.source, self.requested = f"hub:{self.hub}", self.revision

    def __call__(self, folder: Path, progress: Progress) -> Card:
        _refuse_offline()
        progress(f"asking the hub for {self.hub}", 0, 0)
        repository = _ask(self.hub, self.revision)
        commit, files = repository.sha, _wanted(self.hub, repository)
        _begin(folder, commit)
        _fetch(self.hub, commit, files, folder, progress)
        licence = self.licence if self.licence != "unknown" else _licence(repository, folder)
        return finish(folder, self.source, commit, licence).model_copy(update={"requested": self.revision})


def _refuse_offline() -> None:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        raise WeightsError("HF_HUB_OFFLINE is set: unset it to pull from the hub, or import a folder with `fireside models import`")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _ask(hub: str, revision: str) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return HfApi(endpoint=_endpoint()).model_info(hub, revision=revision, files_metadata=True)
    except HFValidationError as error:
        raise WeightsError(f"{hub!r} is no id on the hub: expected owner/name") from error
    except GatedRepoError as error:
        raise WeightsError(f"{hub} wants its terms agreed to: do so on its page, then set HF_TOKEN to a token of yours") from error
    except RepositoryNotFoundError as error:
        raise WeightsError(f"the hub knows no {hub}: check its id; for a private one set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise WeightsError(f"{hub} has no revision {revision}: give a commit, a tag or a branch") from error
    except (HfHubHTTPError, HTTPError, OSError) as error:
        raise failed(hub, error, AGAIN) from error


def _wanted(hub: str, repository: Any) -> list[Any]:
    files = [file for file in repository.siblings if not _matches(file.rfilename, NEVER)]
    weights = next((pattern for pattern in WEIGHTS if any(fnmatch(file.rfilename, pattern) for file in files)), None)
    if weights is None:
        raise WeightsError(f"{hub} has no {', '.join(WEIGHTS)}: choose a repository with safetensors; a .gguf can be imported from a file")
    return [file for file in files if _matches(file.rfilename, (*ALWAYS, weights))]


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _begin(folder: Path, commit: str) -> None:
    """What an earlier pull left is used for the same commit alone."""
    mark = folder / RESUME
    if not mark.is_file() or mark.read_text(encoding="utf-8") != commit:
        shutil.rmtree(folder)
        folder.mkdir()
        mark.write_text(commit, encoding="utf-8")


def _fetch(hub: str, commit: str, files: list[Any], folder: Path, progress: Progress) -> None:
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.utils import build_hf_headers

    remotes = [_remote(hub, commit, file) for file in files]
    try:
        fetch(remotes, folder, build_hf_headers(), progress)
    except (HfHubHTTPError, HTTPError, OSError) as error:
        raise failed(hub, error, AGAIN) from error


def _remote(hub: str, commit: str, file: Any) -> Remote:
    from huggingface_hub import hf_hub_url

    path = PurePosixPath(file.rfilename)
    if path.is_absolute() or ".." in path.parts or file.size is None:
        raise WeightsError(f"{hub} lists a file that cannot be fetched safely: {file.rfilename!r}")
    url = hf_hub_url(hub, file.rfilename, revision=commit, endpoint=_endpoint())
    return Remote(file.rfilename, url, file.size, file.lfs.sha256 if file.lfs else "")


def _licence(repository: Any, folder: Path) -> str:
    """The page's word, but for XTTS: whoever put it there, it is under Coqui's terms unless the user knows of others."""
    card = None if is_xtts(folder) else repository.card_data
    return str(card.get("license") or "unknown") if card else "unknown"
