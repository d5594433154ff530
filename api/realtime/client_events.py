"""What a client says in a realtime session."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.realtime.configuration import MaxTokens, Modalities, Part, Tool, ToolChoice
from api.realtime.faults import Refused, explain

MAX_AUDIO = 15 * 2**20
"""Characters of base64 in one append, as OpenAI takes them."""


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: Annotated[str, Field(max_length=512)] | None = None


class SessionUpdate(Event):
    type: Literal["session.update"]
    session: dict[str, Any]


class Append(Event):
    type: Literal["input_audio_buffer.append"]
    audio: Annotated[str, Field(max_length=MAX_AUDIO)]


class Commit(Event):
    type: Literal["input_audio_buffer.commit"]


class Clear(Event):
    type: Literal["input_audio_buffer.clear"]


class ItemCreate(Event):
    type: Literal["conversation.item.create"]
    item: dict[str, Any]
    previous_item_id: str | None = None


class ItemRetrieve(Event):
    type: Literal["conversation.item.retrieve"]
    item_id: str


class ItemDelete(Event):
    type: Literal["conversation.item.delete"]
    item_id: str


class ItemTruncate(Event):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: Annotated[int, Field(ge=0, le=0)] = 0
    audio_end_ms: Annotated[int, Field(ge=0)]


class ResponseAudio(Part):
    output: dict[str, Any] = Field(default_factory=dict)


Metadata = Annotated[dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)]


class ResponseOptions(Part):
    """What one response has other than the session."""

    instructions: str | None = None
    output_modalities: Modalities | None = None
    audio: ResponseAudio | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: MaxTokens | None = None
    conversation: Literal["auto", "none"] | None = None
    input: list[dict[str, Any]] | None = None
    metadata: Metadata | None = None
    reasoning: Any = None
    parallel_tool_calls: Any = None


class ResponseCreate(Event):
    type: Literal["response.create"]
    response: ResponseOptions | None = None


class ResponseCancel(Event):
    type: Literal["response.cancel"]
    response_id: str | None = None


ClientEvent = (
    SessionUpdate | Append | Commit | Clear | ItemCreate | ItemRetrieve | ItemDelete | ItemTruncate | ResponseCreate | ResponseCancel
)
_KINDS: dict[str, TypeAdapter[Any]] = {
    get_args(kind.model_fields["type"].annotation)[0]: TypeAdapter(kind) for kind in get_args(ClientEvent)
}


def read(frame: str | None) -> dict[str, Any]:
    """A text frame as JSON; None is a binary one."""
    if frame is None:
        raise Refused("invalid_frame", "got a binary frame: expected text frames, each an event in JSON, with audio as base64 in it.")
    try:
        raw = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise Refused("invalid_json", f"got what is not JSON ({error}): expected an event, such as response.create.") from error
    if not isinstance(raw, dict):
        raise Refused("invalid_json", "got JSON that is no object: expected an event with a type.")
    return raw


def parse(raw: dict[str, Any]) -> ClientEvent:
    """Raises InvalidInput that names the field."""
    kind = raw.get("type")
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        what = "an event without a type" if kind is None else f"an event of type {kind!r:.100}"
        raise Refused("invalid_event", f"got {what}: expected one of {', '.join(_KINDS)}.", param="type")
    try:
        event: ClientEvent = known.validate_python(raw)
    except ValidationError as error:
        raise explain(error) from error
    return event
