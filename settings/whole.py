"""The whole configuration, as one tree."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from settings.access import Access
from settings.engines import Listening, Speech, Text
from settings.limits import Limits
from settings.origins import Origin
from settings.part import Part
from settings.seeing import Logs, Traces
from settings.server import Server


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


class Settings(Part):
    home: Path = Path("~/.fireside")
    """The one folder for weights, caches and state."""
    server: Server = Server()
    """The listening side."""
    access: Access = Access()
    """Who is let in: API keys, and what web pages may do. Without keys the server is for this machine alone."""
    limits: Limits = Limits()
    """What one client may take of the server."""
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
    logs: Logs = Logs()
    """What is written to the standard output."""
    traces: Traces = Traces()
    """Where the time of a request went, for a collector of OpenTelemetry's."""
    weights: dict[str, Origin] = Field(default_factory=dict)
    """Where `fireside models pull` and `make serve` get each named model."""

    @model_validator(mode="after")
    def _something_to_serve(self) -> Settings:
        if {self.text.engine, self.speech.engine, self.listening.engine} == {"none"}:
            raise ValueError("text.engine, speech.engine and listening.engine are all none: there is nothing to serve")
        return self

    @property
    def root(self) -> Path:
        return self.home.expanduser().resolve()
