"""The servers that are measured: Fireside, and those it is measured against, each on the same models."""

from __future__ import annotations

import atexit
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

import settings as configuration
from benchmarks.machine import tool
from benchmarks.processes import Recipe, ServerFailed
from commands.weights import states
from models.store import Store, name_of
from settings import Settings
from settings.access import SCOPES

QUIET = {"BENTOML_DO_NOT_TRACK": "True", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}

FAILED = r"\b[\w-]+: failed \("
KEY = "a-key-for-benchmarks-that-opens-nothing-else"


def variant(profile: str, changes: Mapping[str, Any]) -> str:
    """The path of a profile that lives as long as this process: `profile` with `changes` laid over it, key by key."""
    content = yaml.safe_load(configuration.profile_path(profile).read_text(encoding="utf-8")) or {}
    handle, path = tempfile.mkstemp(prefix="fireside-bench-", suffix=".yaml")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yaml.safe_dump(_over(content, changes), file)
    atexit.register(Path(path).unlink, missing_ok=True)
    return path


def fireside(profile: str) -> Recipe:
    return _bento("Fireside", "service:Fireside", profile)


def guarded(profile: str) -> Recipe:
    """As its users run it: by `fireside serve`, with a key asked for and a line logged for every request."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "cli", "serve", "--host", "127.0.0.1", "--port", str(port)]

    keys = {"bench": {"hash": f"sha256:{sha256(KEY.encode()).hexdigest()}", "scopes": list(SCOPES)}}
    env = {**QUIET, "FIRESIDE_PROFILE": profile, "FIRESIDE_ACCESS__KEYS": json.dumps(keys)}
    return Recipe("fireside serve", command, "/readyz", env, failed=FAILED)


def wrapped(profile: str) -> Recipe:
    return _bento("BentoML's wrappers", "benchmarks.wrapped:Wrapped", profile)


def _bento(name: str, service: str, profile: str) -> Recipe:
    def command(port: int) -> list[str]:
        return [tool("bentoml"), "serve", service, "--host", "127.0.0.1", "--port", str(port)]

    return Recipe(name, command, "/readyz", {**QUIET, "FIRESIDE_PROFILE": profile}, failed=FAILED)


def require_weights(profile: str) -> None:
    """Raises ServerFailed, with what to do, when a model of the profile is not there: the server would only find out by and by."""
    if faults := [state.fault for state in states(configuration.load(profile)) if state.fault]:
        raise ServerFailed("\n".join([*faults, f"first run: fireside models prepare --profile {profile}"]))


def vllm(settings: Settings) -> Recipe:
    """vLLM's own server on the model, arguments and environment of a profile."""
    model = Store(settings.root / "models").path(settings.text.model)

    def command(port: int) -> list[str]:
        module = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)]
        return [*module, "--model", str(model), "--served-model-name", text_model(settings), *flags(settings.text.args)]

    return Recipe("vLLM", command, "/health", {**QUIET, **settings.text.env})


def coqui(settings: Settings) -> Recipe:
    """Coqui's own server on the first voice of a profile."""
    folder = Store(settings.root / "models").path(settings.speech.models[0])

    def command(port: int) -> list[str]:
        files = ["--model_path", str(folder / "model.pth"), "--config_path", str(folder / "config.json")]
        device = "cpu" if settings.speech.device == "auto" else settings.speech.device
        return [sys.executable, "-m", "TTS.server.server", "--port", str(port), "--device", device, *files]

    return Recipe("Coqui", command, "/", QUIET)


def bare(profile: str, app: str) -> Recipe:
    """An app of benchmarks/bare.py under uvicorn alone."""

    def command(port: int) -> list[str]:
        return [tool("uvicorn"), f"benchmarks.bare:{app}", "--port", str(port), "--log-level", "warning", "--no-access-log"]

    return Recipe(f"uvicorn, {app}", command, "/v1/models", {**QUIET, "FIRESIDE_PROFILE": profile})


def bare_vllm(profile: str) -> Recipe:
    """vLLM's own server code on the text model of a profile, over an engine that costs nothing: benchmarks/bare_vllm.py."""

    def command(port: int) -> list[str]:
        return [tool("uvicorn"), "benchmarks.bare_vllm:app", "--port", str(port), "--log-level", "warning", "--no-access-log"]

    settings = configuration.load(profile)
    return Recipe("vLLM's front, fake engine", command, "/v1/models", {**QUIET, **settings.text.env, "FIRESIDE_PROFILE": profile})


def text_model(settings: Settings) -> str:
    return name_of(settings.text.model)


def flags(arguments: Mapping[str, Any]) -> list[str]:
    """vLLM's arguments, as the profile writes them, for its command line."""
    return [word for name, value in arguments.items() for word in _flag(name.replace("_", "-"), value)]


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", json.dumps(value) if isinstance(value, dict | list) else str(value)]


def _over(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _over(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return merged
