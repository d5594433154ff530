"""What a realtime session is configured with: OpenAI's fields, their defaults, and changes to some of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from api.realtime.faults import explain
from voice.finished import Eagerness
from voice.heard_languages import language_of

INSTRUCTIONS = (
    "You are a helpful assistant in a spoken conversation. Answer briefly, in whole sentences as one speaks them: "
    "no lists, no markdown, no emoji. Use the language of the user."
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pcm(Part):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class Pcmu(Part):
    type: Literal["audio/pcmu"]


class Pcma(Part):
    type: Literal["audio/pcma"]


Format = Annotated[Pcm | Pcmu | Pcma, Field(discriminator="type")]
Modalities = tuple[Literal["audio", "text"]]


class Vad(Part):
    create_response: bool = True
    interrupt_response: bool = True


class ServerVad(Vad):
    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0, le=10_000)] = 500
    idle_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] | None = None


class SemanticVad(Vad):
    type: Literal["semantic_vad"]
    eagerness: Eagerness = "auto"


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(Part):
    """`model` may be any name: there is one model that listens."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None

    @field_validator("language")
    @classmethod
    def _known(cls, tag: str | None) -> str | None:
        return tag and language_of(tag, "session.audio.input.transcription.language")


class AudioInput(Part):
    format: Format = Pcm()
    transcription: Transcription | None = None
    noise_reduction: None = None
    turn_detection: TurnDetection | None = ServerVad()

    @field_validator("noise_reduction", mode="before")
    @classmethod
    def _none(cls, wanted: Any) -> None:
        """There is none here, which the session says when it is told back; clients ask for it by default."""


class VoiceId(Part):
    id: str


class AudioOutput(Part):
    format: Format = Pcm()
    voice: str | None = None
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0

    @field_validator("voice", mode="before")
    @classmethod
    def _named(cls, voice: Any) -> Any:
        return voice["id"] if isinstance(voice, dict) and list(voice) == ["id"] else voice


class Audio(Part):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class Tool(Part):
    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: str = ""
    parameters: dict[str, Any] = {"type": "object", "properties": {}}

    @field_validator("parameters")
    @classmethod
    def _told_back(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            orjson.dumps([[[[parameters]]]])  # as deep as they are in the event that tells them
        except orjson.JSONEncodeError as error:
            raise ValueError(f"a schema that can be told back; this one cannot ({error})") from None
        return parameters

    def for_chat(self) -> dict[str, Any]:
        """As chat completions take it."""
        return {"type": "function", "function": self.model_dump(exclude={"type"})}


class Named(Part):
    type: Literal["function"]
    name: str


ToolChoice = Literal["none", "auto", "required"] | Named
MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]


class Configuration(Part):
    type: Literal["realtime"] = "realtime"
    model: str = ""
    output_modalities: Modalities = ("audio",)
    instructions: str = INSTRUCTIONS
    audio: Audio = Audio()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    max_output_tokens: MaxTokens = "inf"
    truncation: Literal["auto", "disabled"] = "auto"

    def changed(self, change: dict[str, Any]) -> Configuration:
        """With the fields that `change` has; the others stay. InvalidInput names the field."""
        known = {name: value for name, value in change.items() if name not in NOT_HERE}
        try:
            return Configuration.model_validate(_merged(self.model_dump(), known))
        except ValidationError as error:
            raise explain(error, "session") from error

    @property
    def characters(self) -> int:
        """That it takes as much memory as."""
        return len(orjson.dumps(self.model_dump()).decode())

    @property
    def hears(self) -> AudioInput:
        return self.audio.input

    @property
    def speaks(self) -> bool:
        return self.output_modalities == ("audio",)


# OpenAI's own: taken, as clients send them by default, and not told back.
NOT_HERE = frozenset({"include", "tracing", "reasoning", "parallel_tool_calls"})


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = below.keys() & above.keys()
    inner = {key: _merged(below[key], above[key]) for key in both if _same(below[key], above[key])}
    return {**below, **above, **inner}


def _same(below: Any, above: Any) -> bool:
    """Two forms of one thing, and not a thing of another type, to whose fields those of the old one would be strangers."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return False
    return bool(above.get("type", below.get("type")) == below.get("type"))
