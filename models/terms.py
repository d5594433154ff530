"""Weights that come with terms of use: nobody agrees to them but the configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from models.errors import TermsNotAgreed

CPML = "CPML"
CPML_TEXT = "https://tts-hub.github.io/cpml"
UNNAMED = ("unknown", "other")
"""What stands where a licence would: "other" is the hub's word for one that it has no name for, the CPML among them."""


def agreed(licence: str, terms: Iterable[str]) -> bool:
    return licence.lower() in (each.lower() for each in terms)


def check(name: str, folder: Path, licence: str, terms: Iterable[str]) -> None:
    """Raises TermsNotAgreed for XTTS under the licence it is published with, or an unknown one, unless `terms` has it."""
    if not (licence.upper() == CPML or (licence.lower() in UNNAMED and is_xtts(folder))) or agreed(CPML, terms):
        return
    raise TermsNotAgreed(
        f"{name} is under the Coqui Public Model License, which allows no commercial use: read {CPML_TEXT}, and if you agree set "
        "speech.agreed_terms: [CPML] in the profile (or FIRESIDE_SPEECH__AGREED_TERMS='[\"CPML\"]'); "
        "if these weights are under another licence, name that in the profile's `weights`"
    )


def is_xtts(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model") == "xtts")
    except (OSError, ValueError, AttributeError):
        return False
