"""Which weights a configuration needs, which of them are there, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import loader, terms
from models.errors import TermsNotAgreed, WeightsError
from models.imports.coqui import Agree, CoquiBuilder, disagree
from models.imports.hub import HubBuilder
from models.imports.joined import JoinedBuilder
from models.imports.package import from_package
from models.manifest import Kind, StoredModel
from models.store import Builder, Store, check_origin, coqui_slug, name_of
from settings import CoquiName, Files, Hub, Origin, Package, Settings, load, profiles


@dataclass(frozen=True, slots=True)
class Need:
    """A model that the configuration names, and the part that names it."""

    model: str
    kind: Kind
    part: str


@dataclass(frozen=True, slots=True)
class State:
    """`folder` where the model is there and whole; else `fault` says why not and which command gets it.

    One that only the profile keeps from being used has no command: `agreed` is false.
    """

    need: Need
    folder: Path | None = None
    fault: str = ""
    agreed: bool = True


def store_of(settings: Settings) -> Store:
    return Store(settings.root / "models")


def needs(settings: Settings) -> tuple[Need, ...]:
    text = (Need(settings.text.model, "text", "text.model"),) if settings.text.engine == "vllm" else ()
    speech = tuple(Need(model, "speech", "speech.models") for model in settings.speech.models) if settings.speech.engine == "coqui" else ()
    listening = (Need(settings.listening.model, "listening", "listening.model"),) if settings.listening.engine == "whisper" else ()
    return text + speech + listening


def states(settings: Settings) -> tuple[State, ...]:
    return tuple(_state(settings, need) for need in needs(settings))


def _state(settings: Settings, need: Need) -> State:
    try:
        return State(need, folder=folder(settings, need))
    except WeightsError as error:
        return State(need, fault=str(error), agreed=not isinstance(error, TermsNotAgreed))


def folder(settings: Settings, need: Need) -> Path:
    """Where the model lies. Raises WeightsError for one that is missing or broken, or whose terms are not agreed to."""
    store = store_of(settings)
    path = store.path(need.model)
    if path.parent == store.root:
        _check_stored(store.get(path.name), need, settings.weights.get(need.model))
    if need.kind == "speech":
        terms.check(name_of(need.model), path, loader.licence(settings, need.model), settings.speech.agreed_terms)
    return path


def _check_stored(model: StoredModel, need: Need, origin: Origin | None) -> None:
    if model.kind != need.kind:
        raise WeightsError(f"{need.part} names {need.model}, which is a {model.kind} model: expected a {need.kind} model")
    if isinstance(origin, Hub) and model.source == f"hub:{origin.hub}":  # what was imported from a folder may well be that model
        check_origin(model, model.source, origin.revision)


def source(settings: Settings, model: str, agree: Agree = disagree, *, revision: str = "", licence: str = "") -> Builder:
    """The builder of a model by its name in `weights`, or by Coqui's name, with a revision and a licence in the place of the entry's.

    Raises WeightsError where neither name is known, and for a revision of what has none.
    """
    origin = settings.weights.get(model) or _elsewhere(model) or (CoquiName(coqui=model) if coqui_slug(model) else None)
    if origin is None:
        known = ", ".join(sorted(settings.weights)) or "none"
        raise WeightsError(
            f"no weights are named {model}: this profile's `weights` knows {known}; or give a Coqui name, or a hub id as owner/name"
        )
    if revision and not isinstance(origin, Hub):
        raise WeightsError(f"--revision {revision}: {model} does not come from the hub, and has no revisions: leave it out")
    asked = {name: value for name, value in (("revision", revision), ("licence", licence)) if value}
    return _builder(origin.model_copy(update=asked), agree)


def _builder(origin: Origin, agree: Agree) -> Builder:
    match origin:
        case Package():
            return from_package(origin.package, origin.file, origin.licence)
        case Files():
            return JoinedBuilder(origin.files, origin.sha256, origin.licence)
        case Hub():
            return HubBuilder(origin.hub, origin.revision, origin.licence)
        case CoquiName():
            return CoquiBuilder(origin.coqui, origin.licence, agree)


def _elsewhere(model: str) -> Origin | None:
    """What the shipped profiles call so, where this profile does not: `fireside models pull joe` works whatever profile is chosen."""
    found = {name: origin for name in profiles() if (origin := load(name).weights.get(model))}
    if len({repr(origin) for origin in found.values()}) > 1:
        raise WeightsError(f"the profiles {', '.join(found)} each mean something else by {model}: choose one with --profile")
    return next(iter(found.values()), None)
