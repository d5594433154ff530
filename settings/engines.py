"""The engines, and the mocks in their place."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from settings.part import Part
from settings.probe import Probe


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
    args: dict[str, Any] = Field(default_factory=dict)
    """vLLM's own engine and server arguments with underscores, e.g. max_model_len, quantization, tensor_parallel_size."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment for vLLM, e.g. VLLM_CPU_KVCACHE_SPACE. Set before vLLM is imported; what the process already has wins."""
    on_death: Literal["restart", "exit"] = "restart"
    """When the engine process dies: load it again, or exit non-zero so that an orchestrator does."""
    max_running: int = Field(0, ge=0)
    """Requests in it at once; more wait before it, by their keys' priorities. 0 is `args.max_num_seqs`, or 256 without it, for each of
    `args.data_parallel_size`."""
    max_waiting: int = Field(512, ge=0)
    """Requests that may wait before it; more are refused with 503."""
    queue_timeout: float = Field(60, gt=0)
    """Seconds that one may wait there; then it is refused with 503."""
    start_timeout: float = Field(1800, gt=0)
    """Seconds vLLM has to load and warm up: a large model takes long from a cold disk. No other engine loads meanwhile."""
    shutdown_timeout: float = Field(30, ge=0)
    """Seconds that running generations get to finish after SIGTERM, at most server.drain_timeout; 0 ends them at once."""
    probe: Probe = Probe()
    """One token, asked for when EngineCore has told of no step: so a hang is found."""
    mock: MockText = MockText()
    """How the mock engine behaves."""

    @property
    def most_running(self) -> int:
        """`max_running` itself. With 0 vLLM makes none of them wait, where neither priorities nor `queue_timeout` would count."""
        if self.max_running:
            return self.max_running
        many, ranks = self.args.get("max_num_seqs", 256), self.args.get("data_parallel_size", 1)
        return many * ranks if isinstance(many, int) and isinstance(ranks, int) else 256


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
    queue_timeout: float = Field(30, gt=0)
    """Seconds that a request may wait for its first sentence to be begun; then it is refused with 503."""
    lookahead: int = Field(3, ge=1)
    """Sentences of one request that are made ahead of the one its client is receiving."""
    start_timeout: float = Field(300, gt=0)
    """Seconds the worker has to load and warm up."""
    step_timeout: float = Field(600, gt=0, le=86400)
    """Seconds that one step of the work may take, a window of sound or a short sentence; then the worker hangs, and is loaded again."""
    probe: Probe = Probe()
    """One word, spoken when no audio has come of the worker: so a hang is found."""
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
    """Longest recording of one request, in seconds. All that are decoded and wait may have four times as much, each second 64 kB of memory;
    more are refused with 503."""
    max_bytes: int = Field(100 << 20, ge=1)
    """Largest body of one request, in bytes."""
    max_waiting: int = Field(32, ge=1)
    """Recordings that may come in, be decoded, wait and be transcribed at a time, of one key half of them; more are refused with 503."""
    queue_timeout: float = Field(120, gt=0)
    """Seconds that a recording may wait until the first of it is understood; then it is refused with 503."""
    start_timeout: float = Field(300, gt=0)
    """Seconds the worker has to load and warm up."""
    step_timeout: float = Field(1800, gt=0, le=86400)
    """Seconds that one step of the work may take, a window of a recording, read up to six times; then the worker hangs, and is loaded
    again."""
    probe: Probe = Probe()
    """A quarter of a second of silence, listened to when nothing has come of the worker: so a hang is found."""
    mock: MockListening = MockListening()
    """How the mock engine behaves."""
