"""The items of one response on their way out: what is said of each, in OpenAI's order."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.realtime.items import Entry, Items, content
from api.realtime.outbox import new_id
from voice.history import Said, ToolCall
from voice.spoken import Spoken

Say = Callable[..., None]


@dataclass
class Place:
    """Where the items of a response go. Without `items` it is no part of the conversation."""

    say: Say
    """With the response's id."""
    items: Items | None
    output: list[dict[str, Any]]
    """The items that are done."""
    begun: int = 0

    def begin(self, item: dict[str, Any], entry: Entry | None = None) -> int:
        """Returns its index in the response."""
        index, self.begun = self.begun, self.begun + 1
        self.say("response.output_item.added", output_index=index, item=item)
        if self.items:
            previous = self.items.add(entry) if entry else self.items.last
            self.say("conversation.item.added", of_response=False, previous_item_id=previous, item=item)
        return index

    def end(self, index: int, item: dict[str, Any]) -> None:
        self.output.append(item)
        self.say("response.output_item.done", output_index=index, item=item)
        if self.items:
            previous = self._before(item["id"])
            self.say("conversation.item.done", of_response=False, previous_item_id=previous, item=item)

    def _before(self, item_id: str) -> str | None:
        """None too if the client has deleted it."""
        known = self.items and any(item.id == item_id for item in self.items.history)
        return self.items.history.before(item_id) if self.items and known else None


class Message:
    """What is said, as text or as audio with its transcript."""

    def __init__(self, place: Place, *, spoken: Spoken | None) -> None:
        self._place = place
        self._spoken = spoken
        self.said = Said(new_id("item"), "assistant", "", spoken)
        self.text = ""
        """All that the client was told, whether it was heard or not."""
        self._entry = Entry(self.said, status="in_progress")
        self._index = place.begin(self._described([]), self._entry)
        self._part("response.content_part.added")

    def write(self, text: str) -> None:
        self.text += text
        self.said.write(self.text)
        self._say("response.output_audio_transcript.delta" if self._audio else "response.output_text.delta", delta=text)

    def sound(self, data: bytes) -> None:
        self._say("response.output_audio.delta", delta=base64.b64encode(data).decode())

    def end(self, status: str) -> None:
        if self._audio:
            self._say("response.output_audio.done")
            self._say("response.output_audio_transcript.done", transcript=self.text)
        else:
            self._say("response.output_text.done", text=self.text)
        self._part("response.content_part.done")
        self._entry.status = status
        self._place.end(self._index, self._described([content(self.text, spoken=self._audio)]))

    @property
    def _audio(self) -> bool:
        return self._spoken is not None

    def _part(self, kind: str) -> None:
        part = {"type": "audio", "transcript": self.text} if self._audio else {"type": "text", "text": self.text}
        self._say(kind, part=part)

    def _say(self, kind: str, **fields: Any) -> None:
        self._place.say(kind, item_id=self.said.id, output_index=self._index, content_index=0, **fields)

    def _described(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        return self._entry.described() | {"content": parts}


class Call:
    """A call of a tool. It becomes part of the history once it is whole: a model cannot read half of its arguments."""

    def __init__(self, place: Place, call_id: str, name: str) -> None:
        self._place = place
        self._item = ToolCall(new_id("item"), call_id or new_id("call"), name, "")
        self._index = place.begin(self._described("in_progress"))

    def write(self, arguments: str) -> None:
        self._item.arguments += arguments
        self._say("response.function_call_arguments.delta", delta=arguments)

    def end(self, status: str) -> None:
        if status == "completed" and self._place.items:
            self._place.items.add(Entry(self._item))
        self._say("response.function_call_arguments.done", name=self._item.name, arguments=self._item.arguments)
        self._place.end(self._index, self._described(status))

    def _say(self, kind: str, **fields: Any) -> None:
        self._place.say(kind, item_id=self._item.id, call_id=self._item.call_id, output_index=self._index, **fields)

    def _described(self, status: str) -> dict[str, Any]:
        return Entry(self._item, status=status).described()
