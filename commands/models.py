"""`fireside models`: list, pull, import, verify, prepare, remove."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from commands import show, weights
from commands.options import Profile, commands
from models import terms
from models.errors import WeightsError
from models.imports.coqui import Agree
from models.imports.files import builder_for
from models.imports.hub import HubBuilder
from models.manifest import StoredModel
from models.store import NAME, Builder, Store, coqui_slug, name_of
from settings import Settings, load

app = commands("Weights on disk.")

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
Name = Annotated[str, typer.Option("--name", help="Name in the store.")]
Licence = Annotated[str, typer.Option(help="SPDX id of the weights' licence.")]
Replace = Annotated[bool, typer.Option("--replace", help="Make it anew where it is there already.")]


@app.command("list")
def list_models(profile: Profile = None) -> None:
    """Every model in the store, the broken ones too."""
    store = weights.store_of(load(profile))
    rows = show.table("name", "kind", "size", "licence", "source", "state")
    for model in store.list():
        cells = (model.name, model.kind, show.size(model.size), model.licence, model.source, "ready")
        rows.add_row(*map(show.cell, cells))
    for name, why in store.broken():
        rows.add_row(show.cell(name), "", "", "", "", f"[red]{show.cell(why)}[/red]")
    none = show.cell(f"no models in {store.root}: run `fireside models prepare`")
    show.console.print(rows if rows.row_count else none, soft_wrap=True)


@app.command()
def pull(
    model: Annotated[str, typer.Argument(help="A name from the profile's weights, a Coqui name, or a hub id as owner/name.")],
    profile: Profile = None,
    name: Name = "",
    revision: Annotated[str, typer.Option(help="Commit, tag or branch on the hub. [default: the profile's, else main]")] = "",
    licence: Annotated[str, typer.Option(help="SPDX id of the weights' licence. [default: the profile's, else as published]")] = "",
    replace: Replace = False,
) -> None:
    """Get one model, over the network where its source is there. A pull that was cut goes on where it stopped."""
    settings = load(profile)
    if model not in settings.weights and not coqui_slug(model) and HUB_ID.fullmatch(model):
        take(settings, name or model.split("/")[1], HubBuilder(model, revision or "main", licence or "unknown"), replace)
        return
    build = weights.source(settings, model, consent(settings), revision=revision, licence=licence)
    take(settings, name or name_of(model), build, replace)


@app.command("import")
def import_model(
    path: Annotated[Path, typer.Argument(help="A model folder, a .gguf file, or a Piper voice's .onnx file.")],
    profile: Profile = None,
    name: Name = "",
    licence: Licence = "unknown",
    replace: Replace = False,
) -> None:
    """Take a model on this machine into the store. No network."""
    take(load(profile), name or default_name(path), builder_for(path, licence=licence), replace)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="One model; without it, all.")] = "",
    profile: Profile = None,
    deep: Annotated[bool, typer.Option("--deep", help="Check every sha256 too.")] = False,
) -> None:
    """Check that what is in the store is whole."""
    store = weights.store_of(load(profile))
    names = {name} if name else {*(model.name for model in store.list()), *(broken.name for broken in store.broken())}
    faults = [fault for each in sorted(names) if (fault := _fault(store, each, deep))]
    if faults:
        raise WeightsError("\n".join(faults))
    show.say(f"{len(names)} model(s) are whole{', every sha256 is right' if deep else ''}")


@app.command()
def prepare(profile: Profile = None) -> None:
    """Get everything the profile names that is missing. A second run does nothing."""
    settings = load(profile)
    for state in weights.states(settings):
        name = state.need.model
        if state.folder:
            show.say(f"{name}: ready in {state.folder}")
        elif state.agreed:
            take(settings, name_of(name), weights.source(settings, name, consent(settings)), replace=False)
    if faults := [state.fault for state in weights.states(settings) if state.fault]:
        raise WeightsError("\n".join(faults))


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A model in the store.")], profile: Profile = None) -> None:
    """Remove a model, or what a stopped import left of it."""
    weights.store_of(load(profile)).remove(name)
    show.say(f"{name}: removed")


def take(settings: Settings, name: str, build: Builder, replace: bool) -> StoredModel:
    with show.bar(name) as progress:
        model = weights.store_of(settings).add(name, build, replace=replace, progress=progress)
    show.say(f"{name}: ready in {model.folder} ({', '.join(_facts(model))})")
    return model


def _facts(model: StoredModel) -> list[str]:
    return [model.kind, show.size(model.size), f"licence {model.licence}", *([model.revision] if model.revision else [])]


def default_name(path: Path) -> str:
    """`en_US-joe-medium` for en_US-joe-medium.onnx."""
    path = path.expanduser().resolve()
    stem = path.name if path.is_dir() else path.name.removesuffix(path.suffix)
    if not NAME.fullmatch(stem):
        raise WeightsError(f"{stem!r} cannot name a model: give one with --name")
    return stem


def consent(settings: Settings) -> Agree:
    """The configuration's word; without it, asked on the terminal, and without one the answer is no."""

    def agree(at: str) -> bool:
        if terms.agreed(terms.CPML, settings.speech.agreed_terms):
            return True
        return show.console.is_terminal and typer.confirm(f"The model's terms are at {at}. Have you read them, and do you agree?")

    return agree


def _fault(store: Store, name: str, deep: bool) -> str:
    try:
        with show.bar(name) as progress:
            store.verify(name, deep, progress)
    except WeightsError as error:
        return str(error)
    return ""
