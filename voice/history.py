"""A conversation as it stands: what both sides said, cut to what was heard, and what tools were asked and told."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from models.errors import InvalidInput
from voice.spoken import Spoken


@dataclass(slots=True)
class Said:
    """A message. `text` is None while it is being transcribed, or if it could not be."""

    id: str
    role: Literal["system", "user", "assistant"]
    text: str | None = None
    spoken: Spoken | None = None
    """Of an assistant's message that was spoken: when its words are heard."""
    told: float | None = None
    """Seconds of its audio that were heard, by the word of who heard it: against that no estimate counts."""

    def cut(self, seconds: float, *, told: bool = False) -> str:
        """Keep what was heard after so many seconds of its audio, and return it. From all that was made: a second cut may keep more."""
        if self.spoken is None:
            raise InvalidInput(f"item {self.id!r} was not spoken, and has no audio to cut.", param="item_id")
        self.told = seconds if told else self.told
        self.text = self.spoken.heard(seconds if self.told is None else self.told)
        return self.text

    def write(self, text: str) -> None:
        """All that is said up to now."""
        self.text = text.strip() if self.told is None else self.cut(self.told)


@dataclass(slots=True)
class ToolCall:
    id: str
    call_id: str
    name: str
    arguments: str


@dataclass(slots=True)
class ToolResult:
    id: str
    call_id: str
    output: str


Item = Said | ToolCall | ToolResult


@dataclass(slots=True)
class History:
    """Items in the order of the conversation; each has an id of its own."""

    items: list[Item] = field(default_factory=list)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Behind the item `after`, at the beginning for "root", else at the end. Returns the id of the item before it."""
        if any(other.id == item.id for other in self.items):
            raise InvalidInput(f"there is an item {item.id!r} already: give this one another id, or none.", param="item.id")
        place = len(self.items) if after is None else 0 if after == "root" else self._place(after, "previous_item_id") + 1
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def get(self, item_id: str) -> Item:
        return self.items[self._place(item_id, "item_id")]

    def remove(self, item_id: str) -> None:
        del self.items[self._place(item_id, "item_id")]

    def before(self, item_id: str) -> str | None:
        place = self._place(item_id, "item_id")
        return self.items[place - 1].id if place else None

    def messages(self, instructions: str = "") -> list[dict[str, Any]]:
        """As chat completions take them. What has no text is left out, and calls of tools go with the message before them."""
        said: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
        for kind, group in itertools.groupby(self.items, key=_kind):
            if kind == "assistant":
                said.append(_assistant(list(group)))
            else:
                said.extend(_message(item) for item in group)
        return [message for message in said if message.get("content") or message.get("tool_calls") or message["role"] == "tool"]

    def _place(self, item_id: str, param: str) -> int:
        for place, item in enumerate(self.items):
            if item.id == item_id:
                return place
        raise InvalidInput(f"there is no item {item_id!r} in this conversation.", param=param)


def _kind(item: Item) -> str:
    return "assistant" if isinstance(item, ToolCall) or (isinstance(item, Said) and item.role == "assistant") else "other"


def _message(item: Item) -> dict[str, Any]:
    if isinstance(item, ToolResult):
        return {"role": "tool", "tool_call_id": item.call_id, "content": item.output}
    assert isinstance(item, Said)
    return {"role": item.role, "content": item.text or ""}


def _assistant(items: list[Item]) -> dict[str, Any]:
    text = " ".join(item.text for item in items if isinstance(item, Said) and item.text)
    calls = [
        {"id": item.call_id, "type": "function", "function": {"name": item.name, "arguments": item.arguments}}
        for item in items
        if isinstance(item, ToolCall)
    ]
    return {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
