"""`fireside serve`: hand over to BentoML, with everything decided and offline."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from commands import launch, weights
from commands.check import openness_fault, port_fault
from commands.options import Profile
from models.errors import SettingsError, WeightsError
from models.quiet import quiet
from models.store import is_path
from settings import Settings, keys_file, load, profile_path

MOST_FILES = 65536
ROOT = Path(configuration.__file__).resolve().parent.parent

Host = Annotated[str | None, typer.Option(help="Address to listen on. [default: server.host]")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on. [default: server.port]")]


def serve(profile: Profile = None, host: Host = None, port: Port = None) -> None:
    """Serve the profile. Ends as BentoML does: it takes this process over."""
    _choose(profile, host, port)
    settings = load()
    _refuse_missing(settings)
    if fault := openness_fault(settings):
        raise SettingsError(fault)
    if fault := port_fault(settings.server.host, settings.server.port):
        raise SettingsError(fault)  # BentoML says it in a traceback, after seconds
    quiet()
    _make_absolute(settings)
    if settings.text.on_death == "exit":
        # As in a container: BentoML's supervisor replaces no worker that left, but ends with it, and not with 0.
        os.environ["BENTOML_CONTAINERIZED"] = "true"
    # BentoML empties its metrics folder at each start: two servers must not share one.
    os.environ.setdefault("BENTOML_HOME", str(settings.root / "bentoml" / str(settings.server.port)))
    _allow_many_connections()
    command = serve_command(settings)
    sys.stdout.flush()
    launch.hold_signals()
    os.execv(command[0], command)


def _allow_many_connections() -> None:
    """Each is an open file, of which shells allow their children 1024; processes may allow themselves more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve_command(settings: Settings) -> list[str]:
    """BentoML from this environment, on the service beside settings/: a checkout, an installed package or a bento."""
    if not (ROOT / "service.py").is_file():
        raise SettingsError(f"no service.py in {ROOT}: this installation is not whole; install fireside again")
    where = ["--host", settings.server.host, "--port", str(settings.server.port), "--working-dir", str(ROOT)]
    return [sys.executable, "-P", str(ROOT / "commands" / "launch.py"), "serve", "service:Fireside", *where]


def _refuse_missing(settings: Settings) -> None:
    missing = [f"{state.need.part}: {state.fault}" for state in weights.states(settings) if not state.folder]
    if missing:
        raise WeightsError("; ".join(missing))


def _choose(profile: str | None, host: str | None, port: int | None) -> None:
    """The service reads its configuration itself: what was asked for here goes to it through the environment."""
    if profile:
        os.environ["FIRESIDE_PROFILE"] = profile
    if host:
        os.environ["FIRESIDE_SERVER__HOST"] = host
    if port:
        os.environ["FIRESIDE_SERVER__PORT"] = str(port)


def _make_absolute(settings: Settings) -> None:
    """The service runs in ROOT: paths that were given from here must not change their meaning."""
    if (profile := os.environ.get("FIRESIDE_PROFILE", "")).endswith((".yaml", ".yml")):
        os.environ["FIRESIDE_PROFILE"] = str(profile_path(profile).resolve())
    os.environ["FIRESIDE_HOME"] = str(settings.root)
    os.environ["FIRESIDE_TEXT__MODEL"] = _absolute(settings.text.model)
    os.environ["FIRESIDE_LISTENING__MODEL"] = _absolute(settings.listening.model)
    if settings.access.keys_file:
        os.environ["FIRESIDE_ACCESS__KEYS_FILE"] = str(keys_file.path(settings).absolute())  # links may change
    os.environ["FIRESIDE_SPEECH__MODELS"] = json.dumps([_absolute(model) for model in settings.speech.models])


def _absolute(model: str) -> str:
    """What is no folder from here keeps its name, be it a mock's or a mistake's, which is told better by it."""
    folder = Path(model).expanduser().resolve()
    return str(folder) if is_path(model) and folder.is_dir() else model
