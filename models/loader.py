"""From settings to engines. Nothing is loaded here: an engine finds its weights and loads them when its host starts it."""

from __future__ import annotations

import os
from typing import Any

from models.base import SpeechEngine, TextEngine
from models.host import EngineHost
from models.memory import vllm_share
from models.speech.engine import WorkerSpeechEngine
from models.store import Store, name_of
from settings import Settings, Speech

# No dependency may call out: offline is the default, whatever started this process.
QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def quiet() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def speech_host(settings: Settings) -> EngineHost[SpeechEngine] | None:
    speech = settings.speech
    match speech.engine:
        case "none":
            return None
        case "mock":
            engine = _worker("models.speech.mock:MockRenderer", speech.mock.model_dump(), speech)
        case "coqui":
            engine = _worker("models.speech.coqui:CoquiRenderer", _coqui(settings), speech)
    return EngineHost(engine)


def _worker(renderer: str, config: dict[str, Any], speech: Speech) -> WorkerSpeechEngine:
    return WorkerSpeechEngine("speech", renderer, config, speech.start_timeout, speech.concurrency)


def _coqui(settings: Settings) -> dict[str, Any]:
    store, speech = Store(settings.root / "models"), settings.speech
    models = [{"name": name_of(model), "path": str(store.path(model)), "licence": _licence(settings, model)} for model in speech.models]
    return {"models": models, "device": speech.device, "threads": speech.threads}


def _licence(settings: Settings, model: str) -> str:
    """The profile's word, or what the import found."""
    origin = settings.weights.get(model)
    told = origin.licence if origin else "unknown"
    return told if told != "unknown" else Store(settings.root / "models").licence(model)


def text_host(settings: Settings, speech: EngineHost[SpeechEngine] | None) -> EngineHost[TextEngine] | None:
    text = settings.text
    match text.engine:
        case "none":
            return None
        case "mock":
            from models.text.mock import MockTextEngine

            engine: TextEngine = MockTextEngine(text.model, settings.aliases.text, text.mock)
        case "vllm":
            from models.text.vllm import VllmEngine

            store = Store(settings.root / "models")
            path, names = store.path(text.model), settings.aliases.text
            engine = VllmEngine(name_of(text.model), path, text, aliases=names, memory=lambda: _share(settings, speech))
    return EngineHost(engine, on_death=text.on_death)


def _share(settings: Settings, speech: EngineHost[SpeechEngine] | None) -> dict[str, Any]:
    """vLLM's part of the GPU, as the speech worker measured what it left. Without a GPU there is nothing to share."""
    measured = speech.engine.memory() if speech and speech.ready() else None
    if measured is None:
        return {}
    free, total = measured
    return vllm_share(free, total, settings.memory.margin_gib, settings.text.args)
