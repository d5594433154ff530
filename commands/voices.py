"""`fireside voices`: list, import, clone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import show, weights
from commands.models import Licence, Name, Replace, default_name, take
from commands.options import Profile, commands
from models.errors import WeightsError
from models.imports.files import builder_for
from models.speech.clones import Clone, clones, keep
from models.speech.reference import Reference
from models.store import missing_library
from models.terms import is_xtts
from settings import Settings, load

app = commands("Voices on disk.")


@app.command("list")
def list_voices(profile: Profile = None) -> None:
    """Every speech model in the store, who speaks in it, and the voices that XTTS is to clone."""
    settings = load(profile)
    store = weights.store_of(settings)
    rows = show.table("name", "language", "rate", "speakers", "licence", "source")
    for model in store.list():
        if model.kind == "speech":
            details, speakers = model.details, model.details.get("speakers") or []
            cells = (model.name, details.get("language"), details.get("rate"), _names(speakers), model.licence, model.source)
            rows.add_row(*map(show.cell, cells))
    for clone in clones(voices_of(settings)):
        rows.add_row(*map(show.cell, (clone.name, clone.language or "en", "", "1", "", f"cloned from {clone.recording}")))
    none = show.cell(f"no voices in {store.root}: run `fireside voices import VOICE.onnx`")
    show.console.print(rows if rows.row_count else none, soft_wrap=True)


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


@app.command()
def clone(
    name: Annotated[str, typer.Argument(help="What the voice is to be called.")],
    recording: Annotated[Path, typer.Argument(help="6 to 30 seconds of one person speaking, who has agreed to this.")],
    profile: Profile = None,
    language: Annotated[str, typer.Option(help="What it speaks unless a client asks for another; by default the model's first.")] = "",
    model: Annotated[str, typer.Option(help="An XTTS model; by default all that the profile names.")] = "",
    replace: Replace = False,
) -> None:
    """Give XTTS a voice from a recording. No network; a server that runs has it after its next start."""
    settings = load(profile)
    folders = _xtts_folders(settings, model)

    def clone_with_each(draft: Clone, heard: Reference) -> None:
        if heard.cut and not folders:  # a model that clones says so itself
            show.say(f"{name}: the recording is long, its first {heard.seconds:g} s are used")
        for folder in folders:
            show.say(f"{name}: cloning with {folder}")
            _clone_with(folder, draft)

    kept = keep(voices_of(settings), name, recording.expanduser(), language, replace=replace, prepare=clone_with_each)
    later = "" if folders else "; there is no XTTS model in this profile yet: one that is served will clone it when it starts"
    show.say(f"{name}: ready in {kept.folder}{later}")


def voices_of(settings: Settings) -> Path:
    return settings.root / "voices"


def _xtts_folders(settings: Settings, model: str) -> list[Path]:
    if not model:
        return [state.folder for state in weights.states(settings) if state.folder and is_xtts(state.folder)]
    folder = weights.folder(settings, weights.Need(model, "speech", "--model"))
    if not is_xtts(folder):
        raise WeightsError(f"{model} cannot clone voices: expected an XTTS model")
    return [folder]


def _clone_with(folder: Path, clone: Clone) -> None:
    try:
        from models.speech.xtts import clone_with

        clone_with(folder, clone)
    except ImportError as error:
        raise missing_library(error) from error


def _names(speakers: list[str]) -> str:
    if not speakers:
        return "1"
    return ", ".join(speakers[:5]) + (f" and {len(speakers) - 5} more" if len(speakers) > 5 else "")
