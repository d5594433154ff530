"""From settings to engines. Nothing is loaded here: an engine finds its weights and loads them when its host starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from models import devices, terms
from models.base import ListeningEngine, SpeechEngine, TextEngine
from models.host import EngineHost
from models.listening.engine import WorkerListeningEngine
from models.memory import vllm_share
from models.speech.engine import WorkerSpeechEngine
from models.store import Store, name_of
from settings import Listening, Settings, Speech


class Hosts(NamedTuple):
    text: EngineHost[TextEngine] | None
    speech: EngineHost[SpeechEngine] | None
    listening: EngineHost[ListeningEngine] | None


def hosts(settings: Settings) -> Hosts:
    """None where the configuration has none. No two load at once, and text waits for speech and listening, at every load."""
    loads = asyncio.Lock()
    voices, ears, model = _speech(settings), _listening(settings), _text(settings)
    speech = EngineHost(voices, probe=settings.speech.probe, loads=loads) if voices else None
    listening = EngineHost(ears, probe=settings.listening.probe, loads=loads) if ears else None
    first = [host for host in (speech, listening) if host]
    on_death, probe = settings.text.on_death, settings.text.probe
    text = EngineHost(model, on_death=on_death, probe=probe, loads=loads, after=first) if model else None
    return Hosts(text, speech, listening)


def _speech(settings: Settings) -> SpeechEngine | None:
    speech = settings.speech
    match speech.engine:
        case "none":
            return None
        case "mock":
            return _voices("models.speech.mock:MockRenderer", speech.mock.model_dump(), speech)
        case "coqui":
            return _voices("models.speech.coqui:CoquiRenderer", lambda: _coqui(settings), speech)


def _voices(renderer: str, config: dict[str, Any] | Callable[[], dict[str, Any]], speech: Speech) -> WorkerSpeechEngine:
    return WorkerSpeechEngine("speech", renderer, config, speech.start_timeout, speech.concurrency, step_timeout=speech.step_timeout)


def _coqui(settings: Settings) -> dict[str, Any]:
    store, speech = Store(settings.root / "models"), settings.speech
    models = [{"name": name_of(model), "path": str(store.path(model)), "licence": licence(settings, model)} for model in speech.models]
    for model in models:
        terms.check(model["name"], Path(model["path"]), model["licence"], speech.agreed_terms)
    voices = str(settings.root / "voices")
    return {"models": models, "device": speech.device, "threads": speech.threads, "copies": speech.copies, "voices": voices}


def _listening(settings: Settings) -> ListeningEngine | None:
    listening = settings.listening
    match listening.engine:
        case "none":
            return None
        case "mock":
            return _ears("models.listening.mock:MockListener", listening.mock.model_dump(), listening)
        case "whisper":
            return _ears("models.listening.whisper:WhisperListener", lambda: _whisper(settings), listening)


def _ears(listener: str, config: dict[str, Any] | Callable[[], dict[str, Any]], listening: Listening) -> WorkerListeningEngine:
    return WorkerListeningEngine("listening", listener, config, listening.start_timeout, step_timeout=listening.step_timeout)


def _whisper(settings: Settings) -> dict[str, Any]:
    listening = settings.listening
    return {
        "name": name_of(listening.model),
        "path": str(Store(settings.root / "models").path(listening.model)),
        **listening.model_dump(include={"device", "compute_type", "threads", "beam_size"}),
    }


def licence(settings: Settings, model: str) -> str:
    """The profile's word, or what the import found."""
    origin = settings.weights.get(model)
    told = origin.licence if origin else "unknown"
    return told if told != "unknown" else Store(settings.root / "models").licence(model)


def _text(settings: Settings) -> TextEngine | None:
    text = settings.text
    match text.engine:
        case "none":
            return None
        case "mock":
            from models.text.mock import MockTextEngine

            return MockTextEngine(text.model, settings.aliases.text, text.mock)
        case "vllm":
            from models.text.vllm import VllmEngine

            def path() -> Path:
                return Store(settings.root / "models").path(text.model)

            return VllmEngine(name_of(text.model), path, text, aliases=settings.aliases.text, memory=lambda: _share(settings))


def _share(settings: Settings) -> dict[str, Any]:
    """vLLM's part of the GPU that it will use, from what is free now. Without a GPU there is nothing to share."""
    gpus = devices.gpus()
    return vllm_share(gpus[0].free, gpus[0].total, settings.memory.margin_gib, settings.text.args) if gpus else {}
