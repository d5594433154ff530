"""A spoken answer in OpenAI's shapes: chunks of a stream, or one message. docs/chat-audio.md shows both."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

from api.chat_audio import AudioFormat
from api.chat_stream import Delta
from api.speech import TOKENS_PER_SECOND
from voice import wav

STEP = 6
"""Whole samples and whole base64: without padding inside, the pieces of it can be joined, as the SDK's helpers do."""


class Chunks:
    """The events of a stream, as plain data. What tells the end waits until all is spoken."""

    def __init__(self, audio_id: str) -> None:
        self._audio_id = audio_id
        self._named = False
        self._head: dict[str, Any] = {}
        self._finish: dict[str, Any] = {}
        self._usage: dict[str, Any] | None = None
        self._kept = b""
        self.transcript = ""

    def delta(self, delta: Delta) -> Iterator[dict[str, Any]]:
        """The engine's chunk; what was to be read is the transcript of what will be heard."""
        self._usage = delta.usage or self._usage
        if not delta.raw.get("choices"):
            return
        self._head = self._head or {name: delta.raw.get(name) for name in ("id", "object", "created", "model")}
        choice = delta.raw["choices"][0]
        told = {name: value for name, value in choice["delta"].items() if name != "content"}
        if delta.text:
            yield from self._name()
            told["audio"] = {"transcript": delta.text}
            self.transcript += delta.text
        if delta.finish_reason:
            self._finish = {**delta.raw, "choices": [{**choice, "delta": {}}]}
        if told:
            yield {**delta.raw, "choices": [{**choice, "delta": told, "finish_reason": None}]}

    def sound(self, data: bytes) -> Iterator[dict[str, Any]]:
        data = self._kept + data
        whole = len(data) - len(data) % STEP
        self._kept = data[whole:]
        if whole:
            yield self._chunk({"audio": {"data": _base64(data[:whole])}})

    def end(self, expires_at: int | None, seconds: float, *, usage: bool) -> Iterator[dict[str, Any]]:
        """`expires_at` is None where nothing was said."""
        if self._kept:
            yield self._chunk({"audio": {"data": _base64(self._kept)}})
        if expires_at is not None:
            last = self._chunk({"audio": {"expires_at": expires_at}})
            del last["choices"][0]["finish_reason"]  # as OpenAI's
            yield last
        if self._finish:
            yield self._finish
        if usage and self._usage:
            yield {**self._head, "choices": [], "usage": with_audio(self._usage, seconds)}

    def _name(self) -> Iterator[dict[str, Any]]:
        """Once: clients add up what comes in pieces."""
        if not self._named:
            self._named = True
            yield self._chunk({"audio": {"id": self._audio_id}})

    def _chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


class Message:
    """An answer that is told at once."""

    def __init__(self, form: AudioFormat) -> None:
        self._form = form
        self.transcript = ""
        self._audio = bytearray()
        self._head: dict[str, Any] = {}
        self._rest: dict[str, str] = {}
        self._tools: dict[int, dict[str, Any]] = {}
        self._ends: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    def delta(self, delta: Delta) -> None:
        self._head = self._head or {name: delta.raw.get(name) for name in ("id", "created", "model")}
        self._usage = delta.usage or self._usage
        self.transcript += delta.text
        self._add_tools(delta)
        for choice in delta.raw.get("choices") or ():
            for name, value in choice["delta"].items():
                if isinstance(value, str) and name not in {"role", "content"}:  # reasoning
                    self._rest[name] = self._rest.get(name, "") + value
            if delta.finish_reason:
                self._ends = {name: choice.get(name) for name in ("finish_reason", "stop_reason")}

    def sound(self, data: bytes) -> None:
        self._audio += data

    def body(self, audio_id: str, expires_at: int | None, seconds: float) -> dict[str, Any]:
        said = {"id": audio_id, "data": _base64(self._file()), "expires_at": expires_at, "transcript": self.transcript}
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "audio": None if expires_at is None else said,
            **self._rest,
        }
        if self._tools:
            message["tool_calls"] = [self._tools[index] for index in sorted(self._tools)]
        choice = {"index": 0, "message": message, "logprobs": None, **self._ends}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": with_audio(self._usage, seconds)}

    def _file(self) -> bytes:
        """A WAV began before its length was known."""
        return wav.sized(self._audio) if self._audio and self._form == "wav" else bytes(self._audio)

    def _add_tools(self, delta: Delta) -> None:
        for piece in delta.tools:
            call = self._tools.setdefault(piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            call["id"] += piece.call_id
            call["function"]["name"] += piece.name
            call["function"]["arguments"] += piece.arguments


def with_audio(usage: dict[str, Any], seconds: float) -> dict[str, Any]:
    """OpenAI counts tokens of audio beside those of text, and both in the whole. Its models count 50 ms as one; these voices have none."""
    text, audio = usage.get("completion_tokens") or 0, math.ceil(seconds * TOKENS_PER_SECOND)
    details = {**(usage.get("completion_tokens_details") or {}), "text_tokens": text, "audio_tokens": audio}
    counts = {"completion_tokens": text + audio, "total_tokens": (usage.get("prompt_tokens") or 0) + text + audio}
    return {**usage, **counts, "completion_tokens_details": details}


def _base64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode()
