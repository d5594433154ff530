"""The items of a conversation as clients write and read them, and as the history keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.realtime.faults import Refused, explain
from api.realtime.outbox import new_id
from voice.history import History, Item, Said, ToolCall, ToolResult


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Id = Annotated[str, Field(min_length=1, max_length=128)]


class InputText(Part):
    type: Literal["input_text"]
    text: str


class InputAudio(Part):
    type: Literal["input_audio"]
    audio: str | None = None
    transcript: str | None = None


class OutputText(Part):
    type: Literal["output_text"]
    text: str


class OutputAudio(Part):
    type: Literal["output_audio"]
    transcript: str
    audio: None = None


class Base(Part):
    id: Id | None = None
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class SystemMessage(Base):
    type: Literal["message"]
    role: Literal["system"]
    content: list[InputText]


class UserMessage(Base):
    type: Literal["message"]
    role: Literal["user"]
    content: list[Annotated[InputText | InputAudio, Field(discriminator="type")]]


class AssistantMessage(Base):
    type: Literal["message"]
    role: Literal["assistant"]
    content: list[Annotated[OutputText | OutputAudio, Field(discriminator="type")]]


class FunctionCall(Base):
    type: Literal["function_call"]
    call_id: Id | None = None
    name: str
    arguments: str


class FunctionCallOutput(Base):
    type: Literal["function_call_output"]
    call_id: Id
    output: str


Message = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]
Wire = Annotated[Message | FunctionCall | FunctionCallOutput, Field(discriminator="type")]
_wire = TypeAdapter[SystemMessage | UserMessage | AssistantMessage | FunctionCall | FunctionCallOutput](Wire)


EMPTY = 100
"""Characters that a part without text takes as much memory as."""


@dataclass(slots=True)
class Entry:
    """An item, and for a message of the client its parts as they were written."""

    item: Item
    parts: list[dict[str, Any]] = field(default_factory=list)
    sounds: set[int] = field(default_factory=set)
    """The parts that are to be transcribed."""
    status: str = "completed"
    """An answer is in_progress while it is made, and incomplete if it was stopped."""

    @property
    def characters(self) -> int:
        """That it takes as much memory as."""
        item = self.item
        if isinstance(item, ToolCall):
            return len(item.name) + len(item.arguments)
        if isinstance(item, ToolResult):
            return len(item.output)
        return len(item.text or _text(self.parts)) + EMPTY * len(self.parts)

    def take_audio(self, place: int) -> str:
        """As it was written. It is not kept."""
        audio = self.parts[place].pop("audio")
        self.parts[place]["transcript"] = None
        return str(audio)

    def transcribed(self, place: int, text: str | None) -> None:
        """The message has its text once all its parts have theirs; None for a part that could not be transcribed."""
        self.parts[place] = {"type": "input_audio", "transcript": text}
        self.sounds.discard(place)
        if isinstance(self.item, Said) and not self.sounds:
            self.item.text = _text(self.parts)

    def described(self) -> dict[str, Any]:
        item = self.item
        common = {"id": item.id, "object": "realtime.item", "status": self.status}
        if isinstance(item, ToolCall):
            return {**common, "type": "function_call", "call_id": item.call_id, "name": item.name, "arguments": item.arguments}
        if isinstance(item, ToolResult):
            return {**common, "type": "function_call_output", "call_id": item.call_id, "output": item.output}
        return {**common, "type": "message", "role": item.role, "content": self._content(item)}

    def _content(self, said: Said) -> list[dict[str, Any]]:
        if said.role != "assistant":
            return list(self.parts)
        return [content(said.text or "", spoken=said.spoken is not None)]


def content(text: str, *, spoken: bool) -> dict[str, Any]:
    """The one part of an answer."""
    return {"type": "output_audio", "transcript": text} if spoken else {"type": "output_text", "text": text}


def read(raw: dict[str, Any], *within: str) -> Entry:
    """An item of the client. InvalidInput names the field."""
    try:
        wire = _wire.validate_python(raw)
    except ValidationError as error:
        raise explain(error, *within) from error
    name = wire.id or new_id("item")
    match wire:
        case FunctionCall():
            return Entry(ToolCall(name, wire.call_id or new_id("call"), wire.name, wire.arguments))
        case FunctionCallOutput():
            return Entry(ToolResult(name, wire.call_id, wire.output))
    parts = [part.model_dump(exclude_none=True) for part in wire.content]
    sounds = {place for place, part in enumerate(parts) if part.get("audio")}
    return Entry(Said(name, wire.role, None if sounds else _text(parts)), parts, sounds)


def _text(parts: list[dict[str, Any]]) -> str:
    return " ".join(text for part in parts if (text := part.get("text") or part.get("transcript")))


MOST = 1000
"""Items of a conversation that are kept."""
MOST_CHARACTERS = 1_000_000
"""Of their text together: more than any model reads."""


class Items:
    """The items of a conversation, in order; the oldest are forgotten where there are too many."""

    def __init__(self, forgotten: Callable[[str], None] = lambda _: None, *, most: int = MOST, characters: int = MOST_CHARACTERS) -> None:
        self._forgotten = forgotten
        self._most = most
        self._most_characters = characters
        self.history = History()
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry, after: str | None = None) -> str | None:
        """Returns the id of the item before it."""
        if entry.characters > self._most_characters:
            told = f"the item has {entry.characters} characters: at most {self._most_characters} are kept of a conversation."
            raise Refused("string_above_max_length", told, param="item")
        self.history.add(entry.item, after)
        self._entries[entry.item.id] = entry
        self._forget_before(entry.item)
        return self.history.before(entry.item.id)

    def get(self, item_id: str) -> Entry:
        self.history.get(item_id)
        return self._entries[item_id]

    def remove(self, item_id: str) -> None:
        self.history.remove(item_id)
        del self._entries[item_id]

    @property
    def last(self) -> str | None:
        return self.history.items[-1].id if self.history.items else None

    def chosen(self, raw: list[dict[str, Any]]) -> History:
        """The items a response is to be made from: written out, or by reference."""
        made = History()
        for place, item in enumerate(raw):
            where = ("response", "input", str(place))
            if item.get("type") == "item_reference":
                made.add(self.history.get(str(item.get("id"))))
                continue
            entry = read(item, *where)
            if entry.sounds:
                told = "got audio that is no item of the conversation: create an item with it, and refer to that by item_reference."
                raise Refused("invalid_value", told, param=".".join(where))
            made.add(entry.item)
        return made

    def _forget_before(self, newest: Item) -> None:
        characters = sum(entry.characters for entry in self._entries.values())
        while len(self._entries) > self._most or characters > self._most_characters:
            for item in self._oldest(newest):
                characters -= self._entries[item.id].characters
                self.remove(item.id)
                self._forgotten(item.id)

    def _oldest(self, newest: Item) -> list[Item]:
        """What the system said last of all; a call of a tool with its results."""
        others = [item for item in self.history if item is not newest]
        oldest = min(others, key=lambda item: isinstance(item, Said) and item.role == "system")
        if isinstance(oldest, ToolCall):
            return [oldest, *(item for item in others if isinstance(item, ToolResult) and item.call_id == oldest.call_id)]
        return [oldest]
