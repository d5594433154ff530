"""Where weights come from."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from settings.part import Part


class Package(Part):
    package: str
    """A Python package that carries the weights, by its import name."""
    file: str
    """The .gguf or .onnx file inside it."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class Files(Part):
    files: dict[str, tuple[str, ...]] = Field(min_length=1)
    """The model's files, each with its parts in Python packages: `model.bin: [package_1/data/model.bin.part1, package_2/...]`."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """What files have to be once they are joined."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class Hub(Part):
    hub: str
    """Id on the Hugging Face hub, e.g. Qwen/Qwen3-8B."""
    revision: str = "main"
    """Commit, tag or branch; what it was at the time of the pull is recorded and stays."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class CoquiName(Part):
    coqui: str
    """Coqui's own model name, e.g. tts_models/en/vctk/vits."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


ORIGINS: dict[str, type[Part]] = {"package": Package, "files": Files, "hub": Hub, "coqui": CoquiName}


def _origin(entry: Any) -> str | None:
    """The kind of an entry of `weights`, by the key that only it has, or by one that was probably meant to be it."""
    if isinstance(entry, Part):
        return next(name for name, kind in ORIGINS.items() if type(entry) is kind)
    keys = [key for key in entry if isinstance(key, str)] if isinstance(entry, dict) else []
    near = [match for key in keys for match in difflib.get_close_matches(key, ORIGINS, n=1)]
    found = [*(name for name in ORIGINS if name in keys), *(["package"] if "file" in keys else []), *near]
    return found[0] if found else None


Origin = Annotated[
    Annotated[Package, Tag("package")] | Annotated[Files, Tag("files")] | Annotated[Hub, Tag("hub")] | Annotated[CoquiName, Tag("coqui")],
    Discriminator(_origin, custom_error_type="origin", custom_error_message="expected package and file, files, hub, or coqui"),
]
