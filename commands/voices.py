"""`fireside voices`: list and import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import show, weights
from commands.models import Licence, Name, Replace, default_name, take
from commands.options import Profile, commands
from models.errors import WeightsError
from models.imports.files import builder_for
from settings import load

app = commands("Voices on disk.")


@app.command("list")
def list_voices(profile: Profile = None) -> None:
    """Every speech model in the store, and who speaks in it."""
    store = weights.store_of(load(profile))
    rows = show.table("name", "language", "rate", "speakers", "licence", "source")
    for model in store.list():
        if model.kind == "speech":
            speakers = model.details.get("speakers") or []
            rows.add_row(
                model.name,
                str(model.details.get("language")),
                str(model.details.get("rate")),
                _names(speakers),
                model.licence,
                model.source,
            )
    show.console.print(rows if rows.row_count else f"no voices in {store.root}: run `fireside voices import VOICE.onnx`", soft_wrap=True)


@app.command("import")
def import_voice(
    path: Annotated[Path, typer.Argument(help="A Piper voice's .onnx file (its .onnx.json beside it), or a Coqui folder.")],
    profile: Profile = None,
    name: Name = "",
    licence: Licence = "unknown",
    replace: Replace = False,
) -> None:
    """Take a voice on this machine into the store. No network."""
    if path.suffix == ".gguf":
        raise WeightsError(f"{path.name} is a text model: use `fireside models import`")
    take(load(profile), name or default_name(path), builder_for(path, licence=licence), replace)


def _names(speakers: list[str]) -> str:
    if not speakers:
        return "1"
    return ", ".join(speakers[:5]) + (f" and {len(speakers) - 5} more" if len(speakers) > 5 else "")
