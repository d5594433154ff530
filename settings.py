"""What can be configured: a YAML profile, then FIRESIDE_* from the environment (`__` between levels).

Typed and frozen; unknown keys are refused.

`docs/settings.md` is made from these classes: their descriptions are the documentation.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, ValidationInfo, field_validator, model_validator

from models.errors import SettingsError

PREFIX = "FIRESIDE_"
CONFIGS = Path(__file__).parent / "configs"
# Read by the launcher, the Makefile, the commands and the examples, not part of the configuration itself.
LAUNCH_VARIABLES = {"FIRESIDE_PROFILE", "FIRESIDE_API_KEY", "FIRESIDE_URL"}
MASK = "********"
# hf_token and AWS_SECRET_ACCESS_KEY, but not max_num_batched_tokens.
SECRET = re.compile(r"(token|keys?|passphrase|credentials?)$|secret|password", re.IGNORECASE)


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Server(Part):
    host: str = "127.0.0.1"
    """IP address to listen on. Loopback unless you say otherwise."""
    port: int = Field(3000, ge=1, le=65535)
    """Port for HTTP and WebSocket."""
    drain_timeout: float = Field(30, gt=0)
    """Seconds that requests in flight get to finish after SIGTERM; then they end with an error, and the process ends."""

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        """BentoML takes no names."""
        if host == "localhost":
            return "127.0.0.1"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("expected an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for every network it is in") from None
        return host


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
    """Sentences that are made at once on a CPU, each on a thread of its own. A GPU makes as many at once as it does best, by trial."""
    copies: int = Field(2, ge=1)
    """Sentences that an XTTS model makes at once; more wait. They share its weights; each takes up to 0.3 GiB from memory.margin_gib."""
    agreed_terms: tuple[str, ...] = ()
    """Licences whose terms you have read and agree to, where weights ask for that: CPML for XTTS (https://tts-hub.github.io/cpml)."""
    default_voice: str = ""
    """Voice for clients that name none, or an alias that stands for none; empty is the first voice loaded."""
    concurrency: int = Field(16, ge=1)
    """Sentences inside the worker at once, taking turns by windows: more is sooner first audio for all, less is quicker to obey urgency."""
    max_chars: int = Field(4096, ge=1)
    """Longest text of one /v1/audio/speech request, /ws message, or utterance of /v1/audio/speech/stream, in characters."""
    max_waiting: int = Field(256, ge=1)
    """Requests that may wait for the speech engine; more are refused with 503."""
    lookahead: int = Field(3, ge=1)
    """Sentences of one request that are made ahead of the one its client is receiving."""
    start_timeout: float = Field(300, gt=0)
    """Seconds the worker has to load and warm up."""
    mock: MockSpeech = MockSpeech()
    """How the mock engine behaves."""

    @field_validator("models")
    @classmethod
    def _something_to_speak_with(cls, models: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not models and info.data.get("engine") == "coqui":
            raise ValueError("coqui needs at least one model; without speech set speech.engine to none")
        return models


class MockListening(Part):
    replies: tuple[str, ...] = ()
    """What to hear in turn, before the deterministic prose. Silence has no text, and takes none of them."""
    realtime_factor: float = Field(0.0, ge=0)
    """Seconds of work per second of audio; 0 is as fast as possible."""
    load_seconds: float = Field(0.0, ge=0)
    """How long loading takes."""
    fault: Fault = Fault()
    """A failure to make on purpose; `match` is looked for in the prompt of a request, and the items are segments."""


ComputeType = Literal["auto", "int8", "int8_float16", "int8_bfloat16", "int8_float32", "float16", "bfloat16", "float32"]


class Listening(Part):
    engine: Literal["whisper", "mock", "none"] = "none"
    """whisper: a real model, and silero's to tell speech from silence. mock: scripted text, no weights. none: nothing listens."""
    model: str = "mock-listening"
    """A name from `weights` (or already in the store), or the path of a folder with a Whisper model in CTranslate2's format."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where Whisper runs; auto is cuda where there is one. The speech detector is small, and always on the CPU."""
    compute_type: ComputeType = "auto"
    """How it calculates; auto is float16 on cuda and int8 on a CPU."""
    threads: int = Field(2, ge=1)
    """Threads of one transcription on a CPU."""
    beam_size: int = Field(5, ge=1)
    """Readings that are followed at once in a recording: more are slower and slightly better. A turn of a conversation takes one."""
    max_seconds: float = Field(7200, gt=0)
    """Longest recording of one request, in seconds."""
    max_bytes: int = Field(100 << 20, ge=1)
    """Largest body of one request, in bytes."""
    max_waiting: int = Field(32, ge=1)
    """Recordings that may be decoded, wait and be transcribed at a time; more are refused with 503."""
    start_timeout: float = Field(300, gt=0)
    """Seconds the worker has to load and warm up."""
    mock: MockListening = MockListening()
    """How the mock engine behaves."""


class Aliases(Part):
    text: tuple[str, ...] = (
        *("gpt-4o-mini", "gpt-4o", "gpt-3.5-turbo"),
        *("gpt-audio-1.5", "gpt-audio-mini", "gpt-4o-audio-preview", "gpt-4o-mini-audio-preview"),
    )
    """Names for the text model."""
    realtime: tuple[str, ...] = (
        *("gpt-realtime", "gpt-realtime-1.5", "gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-mini"),
        *("gpt-4o-realtime-preview", "gpt-4o-mini-realtime-preview"),
    )
    """More names for it, in /v1/realtime alone."""
    speech: dict[str, str] = dict.fromkeys(("tts-1", "tts-1-hd", "gpt-4o-mini-tts"), "")
    """Names for speech models, and the model each stands for; empty is whichever has the voice that was asked for."""
    listening: tuple[str, ...] = ("whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
    """Names for the listening model."""
    voices: dict[str, str] = dict.fromkeys(
        ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar"), ""
    )
    """Names for voices, and the voice each stands for; empty is the default voice."""


class Memory(Part):
    margin_gib: float = Field(1.0, ge=0.6)
    """GiB of GPU memory left free for the driver and for peaks. vLLM's own CUDA context takes about 0.6 before vLLM looks what is free."""


class Package(Part):
    package: str
    """A Python package that carries the weights, by its import name."""
    file: str
    """The .gguf or .onnx file inside it."""
    licence: str = "unknown"
    """SPDX id of the weights' licence."""


class Files(Part):
    files: dict[str, tuple[str, ...]] = Field(min_length=1)
    """The model's files, each with its parts in Python packages: `model.bin: [package_1/data/model.bin.part1, package_2/...]`."""
    sha256: dict[str, str] = {}
    """What files have to be once they are joined."""
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


ORIGINS: dict[str, type[Part]] = {"package": Package, "files": Files, "hub": Hub, "coqui": CoquiName}


def _origin(entry: Any) -> str | None:
    """The kind of an entry of `weights`, by the key that only it has, or by one that was probably meant to be it."""
    if isinstance(entry, Part):
        return next(name for name, kind in ORIGINS.items() if type(entry) is kind)
    keys = [key for key in entry if isinstance(key, str)] if isinstance(entry, dict) else []
    near = [match for key in keys for match in difflib.get_close_matches(key, ORIGINS, n=1)]
    found = [*(name for name in ORIGINS if name in keys), *(["package"] if "file" in keys else []), *near]
    return found[0] if found else None


Origin = Annotated[
    Annotated[Package, Tag("package")] | Annotated[Files, Tag("files")] | Annotated[Hub, Tag("hub")] | Annotated[CoquiName, Tag("coqui")],
    Discriminator(_origin, custom_error_type="origin", custom_error_message="expected package and file, files, hub, or coqui"),
]


class Settings(Part):
    home: Path = Path("~/.fireside")
    """The one folder for weights, caches and state."""
    server: Server = Server()
    """The listening side."""
    text: Text = Text()
    """The language model."""
    speech: Speech = Speech()
    """The voices."""
    listening: Listening = Listening()
    """What writes down speech, and tells where there is some."""
    aliases: Aliases = Aliases()
    """Names that clients have built in, and what they stand for here. A list or table that you give takes the default's place."""
    memory: Memory = Memory()
    """How the GPU is shared: speech and listening load first, and text gets what is then free less the margin."""
    weights: dict[str, Origin] = {}
    """Where `fireside models pull` and `make serve` get each named model."""

    @model_validator(mode="after")
    def _something_to_serve(self) -> Settings:
        if {self.text.engine, self.speech.engine, self.listening.engine} == {"none"}:
            raise ValueError("text.engine, speech.engine and listening.engine are all none: there is nothing to serve")
        return self

    @property
    def root(self) -> Path:
        return self.home.expanduser().resolve()


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
    content = _merged(_read(path), from_environment(os.environ))
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path} and FIRESIDE_* do not make a configuration:\n" + "\n".join(_explain(error))) from error


def known_keys(model: type[BaseModel] = Settings) -> set[str]:
    """Every key with its dots: `text.mock.ttft`."""
    keys = set()
    for name, field in model.model_fields.items():
        keys.add(name)
        if _is_group(field.annotation):
            keys |= {f"{name}.{inner}" for inner in known_keys(field.annotation)}
    return keys


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The tree of keys that FIRESIDE_* make. Raises SettingsError for a variable that is no setting or holds no JSON where it has to."""
    tree: dict[str, Any] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in LAUNCH_VARIABLES:
            continue
        place = variable.removeprefix(PREFIX).lower().split("__")
        if place[0] not in Settings.model_fields:
            raise SettingsError(f"{variable} is no setting{_nearest(place[0], Settings.model_fields)}")
        value = _parsed(variable, text, _type_at(place))
        if place[:2] == ["text", "env"] and len(place) > 2:  # names of environment variables
            place = ["text", "env", "__".join(place[2:]).upper()]
        for key in reversed(place):
            value = {key: value}
        tree = _merged(tree, value)
    return tree


def masked(value: Any) -> Any:
    """Plain data for printing, without what is secret by its name."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): MASK if _secret(str(key), item) else masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value if isinstance(value, int | float | str | None) else str(value)


def _secret(key: str, value: Any) -> bool:
    return bool(SECRET.search(key) and value and not isinstance(value, bool | dict | BaseModel))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected keys and values at the top, got {type(content).__name__}")
    return content


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = below.keys() & above.keys()
    inner = {key: _merged(below[key], above[key]) for key in both if isinstance(below[key], dict) and isinstance(above[key], dict)}
    return {**below, **above, **inner}


def _type_at(place: list[str]) -> Any:
    """What a key is to hold; text where there is no such key, as the validation then tells better."""
    kind: Any = Settings
    for key in place:
        if _is_group(kind):
            kind = kind.model_fields[key].annotation if key in kind.model_fields else str
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif kind is not Any:
            kind = str
    return kind


def _parsed(variable: str, text: str, kind: Any) -> Any:
    if kind is Any:  # a free table's: as it would be in the profile
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise SettingsError(f"{variable} is no YAML value: {error}") from error
    if not _is_group(kind) and get_origin(kind) not in (dict, tuple, Annotated):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        example = '["joe"]' if get_origin(kind) is tuple else '{"key": "value"}'
        raise SettingsError(f"{variable} is not JSON ({error}): lists and tables are given as JSON, e.g. {variable}='{example}'") from error


def _explain(error: ValidationError) -> Iterable[str]:
    for fault in error.errors():
        place, keys = fault["loc"], known_keys()
        if place[:1] == ("weights",) and len(place) > 2 and place[2] in ORIGINS:  # pydantic puts the entry's kind before its key
            keys = {f"weights.{place[1]}.{key}" for key in known_keys(ORIGINS[str(place[2])])}
            place = (*place[:2], *place[3:])
        name = ".".join(map(str, place))
        if fault["type"] == "extra_forbidden":
            yield f"  {name}: no such key{_nearest(name, keys)}"
        else:
            yield f"  {name or 'configuration'}: {fault['msg'].removeprefix('Value error, ')}{_came(name, fault.get('input'))}"


def _came(name: str, value: Any) -> str:
    """What came, unless it is the whole configuration."""
    return f" (got {masked({name: value})[name]!r:.200})" if name else ""


def _is_group(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
