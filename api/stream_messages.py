"""What the two sides of WS /v1/audio/speech/stream say to each other; docs/speech-stream.md describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api import errors
from api.utterance import Delivery
from models.errors import InvalidInput
from voice.encode import Format

Name = Annotated[str, Field(min_length=1, max_length=128)]


class Options(Delivery):
    """What an utterance is spoken with. A field that is left out keeps its value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    voice: str | None = None
    format: Format = "pcm"
    sample_rate: Annotated[int, Field(ge=8000, le=48000)] | None = None
    encoding: Literal["binary", "base64"] = "binary"
    words: bool = False


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfUtterance(Message):
    utterance: Name | None = None
    """The client's own name for it."""


class Configure(Options):
    type: Literal["configure"]


class Text(OfUtterance):
    type: Literal["text"]
    text: str


class Flush(OfUtterance):
    type: Literal["flush"]


class End(OfUtterance):
    type: Literal["end"]


class Cancel(OfUtterance):
    type: Literal["cancel"]


ClientMessage = Configure | Text | Flush | End | Cancel
_client_message = TypeAdapter[ClientMessage](Annotated[ClientMessage, Field(discriminator="type")])


class Ready(BaseModel):
    type: Literal["ready", "configured"]
    model: str
    voice: str
    language: str
    format: Format
    sample_rate: int
    encoding: Literal["binary", "base64"]
    speed: float
    seed: int | None
    normalize: bool
    words: bool


class SentenceStarted(BaseModel):
    type: Literal["sentence.started"] = "sentence.started"
    utterance: str
    sentence: int
    text: str
    char_start: int
    char_end: int


class TimedWord(BaseModel):
    word: str
    start: float
    end: float
    char_start: int
    char_end: int


class Audio(BaseModel):
    type: Literal["audio"] = "audio"
    utterance: str
    sentence: int
    position: int
    samples: int
    words: list[TimedWord] | None = None
    """None where they were not asked for."""
    audio: str | None = None
    """None where the next frame is the audio."""


class SentenceEnded(BaseModel):
    type: Literal["sentence.ended"] = "sentence.ended"
    utterance: str
    sentence: int
    seconds: float


class Done(BaseModel):
    type: Literal["done"] = "done"
    utterance: str
    status: Literal["completed", "cancelled", "failed"]
    characters: int
    samples: int
    seconds: float


class Error(BaseModel):
    type: Literal["error"] = "error"
    utterance: str | None = None
    error: dict[str, Any]


ServerMessage = Ready | SentenceStarted | Audio | SentenceEnded | Done | Error
server_message = TypeAdapter[ServerMessage](Annotated[ServerMessage, Field(discriminator="type")])


def parse(frame: str) -> ClientMessage:
    """Raises InvalidInput."""
    try:
        return _client_message.validate_python(orjson.loads(frame))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"got what is not JSON ({error}): expected a message of type configure, text, flush, end or cancel.") from error
    except ValidationError as error:
        raise errors.explain_validation(error.errors()) from error
