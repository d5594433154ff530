"""What one response is to be: the session's configuration, and what the client wants otherwise for this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.realtime.client_events import ResponseOptions
from api.realtime.configuration import Configuration, Named
from api.realtime.faults import Refused
from api.realtime.items import Items
from models.errors import InvalidInput
from voice.history import History, Said


@dataclass(frozen=True)
class Plan:
    configuration: Configuration
    metadata: dict[str, str] | None = None
    conversing: bool = True
    """It belongs to the conversation, and is heard in it."""
    input: History | None = None
    """What it is made from in the place of the conversation."""

    @property
    def unheard(self) -> bool:
        """Something that it is made from may still be in transcription."""
        return self.input is None or any(isinstance(item, Said) and item.text is None for item in self.input)

    @property
    def speaks(self) -> bool:
        return self.configuration.speaks

    def body(self, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The chat completion that it is."""
        wanted = self.configuration
        body: dict[str, Any] = {"model": model, "messages": messages}
        if wanted.max_output_tokens != "inf":
            body["max_completion_tokens"] = wanted.max_output_tokens
        if wanted.tools and wanted.tool_choice != "none":
            choice = wanted.tool_choice
            body["tools"] = [tool.for_chat() for tool in wanted.tools]
            body["tool_choice"] = {"type": "function", "function": {"name": choice.name}} if isinstance(choice, Named) else choice
        return body

    def described(self) -> dict[str, Any]:
        wanted, output = self.configuration, self.configuration.audio.output
        return {
            "output_modalities": wanted.output_modalities,
            "max_output_tokens": wanted.max_output_tokens,
            "audio": {"output": {"format": output.format.model_dump(), "voice": output.voice}} if self.speaks else None,
            "metadata": self.metadata,
        }


_OVERRIDES = ("instructions", "output_modalities", "tools", "tool_choice", "max_output_tokens")


def planned(configuration: Configuration, wanted: ResponseOptions | None, items: Items) -> Plan:
    """InvalidInput names the field."""
    if wanted is None:
        return Plan(configuration)
    changes = {name: value for name in _OVERRIDES if (value := getattr(wanted, name)) is not None}
    changed = configuration.model_copy(update=changes)
    if wanted.audio:
        changed = _voiced(changed, wanted.audio.output)
    if isinstance(changed.tool_choice, Named) and changed.tool_choice.name not in {tool.name for tool in changed.tools}:
        told = f"tool_choice names {changed.tool_choice.name!r}, which is none of the tools of this response."
        raise Refused("invalid_value", told, param="response.tool_choice")
    chosen = None if wanted.input is None else items.chosen(wanted.input)
    return Plan(changed, wanted.metadata, wanted.conversation != "none", chosen)


def _voiced(configuration: Configuration, output: dict[str, Any]) -> Configuration:
    try:
        return configuration.changed({"audio": {"output": output}})
    except InvalidInput as error:
        error.param = (error.param or "").replace("session.", "response.", 1)
        raise
