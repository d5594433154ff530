"""What can be configured: a YAML profile, then FIRESIDE_* from the environment (`__` between levels).

Typed and frozen; unknown keys are refused.

`docs/settings.md` is made from these classes: their descriptions are the documentation.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from models.errors import SettingsError

PREFIX = "FIRESIDE_"
CONFIGS = Path(__file__).parent / "configs"
# Read by the launcher and the Makefile, not part of the configuration itself.
LAUNCH_VARIABLES = {"FIRESIDE_PROFILE"}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Server(Part):
    host: str = "127.0.0.1"
    """Address to listen on. Loopback unless you say otherwise."""
    port: int = Field(3000, ge=1, le=65535)
    """Port for HTTP and WebSocket."""
    drain_timeout: float = Field(30, gt=0)
    """Seconds that requests in flight get to finish after SIGTERM; then they end with an error, and the process ends."""


class Fault(Part):
    """A failure the mock makes on purpose, for tests of what comes around it."""

    kind: Literal["none", "before_first", "mid_stream", "hang", "crash"] = "none"
    """none; an error before the first item; or after `after` items: an error, silence for ever, the death of the engine."""
    after: int = Field(3, ge=0)
    """Items that are delivered before the fault."""
    match: str = ""
    """Only requests whose text contains this fail; empty: all."""


class MockText(Part):
    ttft: float = Field(0.0, ge=0)
    """Seconds before the first token."""
    tokens_per_second: float = Field(0.0, ge=0)
    """Pace of a stream; 0 is as fast as the client reads."""
    replies: tuple[str, ...] = ()
    """Replies to give in turn, before the deterministic ones."""
    max_model_len: int = Field(4096, ge=16)
    """Context length in tokens; longer prompts are refused as the real engine does."""
    load_seconds: float = Field(0.0, ge=0)
    """How long loading takes."""
    fault: Fault = Fault()
    """A failure to make on purpose."""


class Text(Part):
    engine: Literal["vllm", "mock", "none"] = "mock"
    """vllm: a real model. mock: deterministic text, no weights. none: no text."""
    model: str = "mock-text"
    """A name from `weights` (or of a model already in the store), or a path to a model folder."""
    aliases: tuple[str, ...] = ("gpt-4o-mini", "gpt-4o", "gpt-3.5-turbo")
    """Other names that clients may use for this model."""
    args: dict[str, Any] = {}
    """vLLM's own engine and server arguments with underscores, e.g. max_model_len, quantization, tensor_parallel_size."""
    env: dict[str, str] = {}
    """Environment for vLLM, e.g. VLLM_CPU_KVCACHE_SPACE. Set before vLLM is imported; what the process already has wins."""
    on_death: Literal["restart", "exit"] = "restart"
    """When the engine process dies: load it again, or exit non-zero so that an orchestrator does."""
    shutdown_timeout: float = Field(30, ge=0)
    """Seconds that running generations get to finish after SIGTERM, at most server.drain_timeout; 0 ends them at once."""
    mock: MockText = MockText()
    """How the mock engine behaves."""


class MockSpeech(Part):
    realtime_factor: float = Field(0.0, ge=0)
    """Seconds of work per second of audio; 0 is as fast as possible."""
    rate: int = Field(24000, ge=8000, le=48000)
    """Samples per second of the tone."""
    load_seconds: float = Field(0.0, ge=0)
    """How long loading takes."""
    fault: Fault = Fault()
    """A failure to make on purpose."""


class Speech(Part):
    engine: Literal["coqui", "mock", "none"] = "mock"
    """coqui: real voices. mock: a tone per sentence, no weights. none: no speech."""
    models: tuple[str, ...] = ("mock-speech",)
    """Names from `weights` (or already in the store), paths of Coqui model folders, or Coqui names such as tts_models/en/vctk/vits."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where speech runs; auto is cuda where there is one."""
    threads: int = Field(1, ge=1)
    """CPU threads of the speech worker."""
    default_voice: str = ""
    """Voice for clients that name none or an alias; empty is the first voice loaded."""
    model_aliases: tuple[str, ...] = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
    """Names that clients may use for the speech model."""
    voice_aliases: dict[str, str] = dict.fromkeys(
        ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar"), ""
    )
    """Names that clients may use for voices, and the voice each stands for; empty is the default voice."""
    concurrency: int = Field(16, ge=1)
    """Sentences inside the worker at once, taking turns by windows: more is sooner first audio for all, less is quicker to obey urgency."""
    max_chars: int = Field(4096, ge=1)
    """Longest text of one /v1/audio/speech request, in characters."""
    max_waiting: int = Field(256, ge=1)
    """Requests that may wait for the speech engine; more are refused with 503."""
    lookahead: int = Field(3, ge=1)
    """Sentences of one request that are made ahead of the one its client is receiving."""
    start_timeout: float = Field(300, gt=0)
    """Seconds the worker has to load and warm up."""
    mock: MockSpeech = MockSpeech()
    """How the mock engine behaves."""


class Memory(Part):
    margin_gib: float = Field(1.0, ge=0)
    """GPU memory that is left free for the driver and for peaks, in GiB."""


class Package(Part):
    package: str
    """A Python package that carries the weights, by its import name."""
    file: str
    """The .gguf or .onnx file inside it."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class Hub(Part):
    hub: str
    """Id on the Hugging Face hub, e.g. Qwen/Qwen3-8B."""
    revision: str = "main"
    """Commit, tag or branch; what it was at the time of the pull is recorded and stays."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class CoquiName(Part):
    coqui: str
    """Coqui's own model name, e.g. tts_models/en/vctk/vits."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", use_attribute_docstrings=True
    )

    home: Path = Path("~/.fireside")
    """The one folder for weights, caches and state."""
    server: Server = Server()
    """The listening side."""
    text: Text = Text()
    """The language model."""
    speech: Speech = Speech()
    """The voices."""
    memory: Memory = Memory()
    """How the GPU is shared: speech loads first and is measured, text gets the rest less the margin."""
    weights: dict[str, Package | Hub | CoquiName] = {}
    """Where `fireside models pull` and `make serve` get each named model."""

    @model_validator(mode="after")
    def _something_to_serve(self) -> Settings:
        if self.text.engine == "none" and self.speech.engine == "none":
            raise ValueError("text.engine and speech.engine are both none: there is nothing to serve")
        return self

    @property
    def root(self) -> Path:
        return self.home.expanduser().resolve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The first wins: the environment, then the profile."""
        return env_settings, init_settings


def profile_path(profile: str) -> Path:
    """`mock`, `cpu`, `gpu`, ... from configs/, or the path of a YAML file."""
    path = Path(profile)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise SettingsError(f"no profile at {path}: give the path of a YAML file, or one of {', '.join(profiles())}")
        return path
    path = CONFIGS / f"{profile}.yaml"
    if not path.is_file():
        raise SettingsError(f"no profile named {profile!r}: there are {', '.join(profiles())}; or give the path of a YAML file")
    return path


def profiles() -> list[str]:
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load(profile: str | None = None) -> Settings:
    """Resolve the configuration; `profile` defaults to FIRESIDE_PROFILE, then to mock. Raises SettingsError with every fault at once."""
    path = profile_path(profile or os.environ.get("FIRESIDE_PROFILE") or "mock")
    _refuse_unknown_environment(os.environ)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values at the top, got {type(content).__name__}")
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(f"{path} and FIRESIDE_* do not make a configuration:\n" + "\n".join(_explain(error))) from error


def known_keys(model: type[BaseModel] = Settings) -> set[str]:
    """Every key with its dots: `text.mock.ttft`."""
    keys = set()
    for name, field in model.model_fields.items():
        keys.add(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys |= {f"{name}.{inner}" for inner in known_keys(field.annotation)}
    return keys


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    for variable in environment:
        if not variable.startswith(PREFIX) or variable in LAUNCH_VARIABLES:
            continue
        top = variable.removeprefix(PREFIX).lower().split("__")[0]
        if top not in Settings.model_fields:
            raise SettingsError(f"{variable} is no setting{_nearest(top, Settings.model_fields)}")


def _explain(error: ValidationError) -> Iterable[str]:
    keys = known_keys()
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            yield f"  {place}: no such key{_nearest(place, keys)}"
        else:
            yield f"  {place or 'configuration'}: {fault['msg']} (got {fault.get('input')!r})"


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
