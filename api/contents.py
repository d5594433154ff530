"""What is said in a request and its answer, kept for the log where that is wanted (logs.contents)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

from api.entries import Entry
from models.base import Receive, Send
from voice.speak import Flush, Pieces

MOST = 1 << 14
"""Bytes of each that are kept."""


def kept(entry: Entry, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The same, listening. Texts alone, with what sound is written in them: files of sound are not for a log."""
    asked, answered = _Text(entry, "input"), _Text(entry, "output")

    async def receiving() -> MutableMapping[str, Any]:
        message = await receive()
        asked.add(message.get("body", b""))
        return message

    async def sending(message: MutableMapping[str, Any]) -> None:
        answered.add(message.get("body", b""))
        await send(message)

    return receiving, sending


class _Text:
    def __init__(self, entry: Entry, name: str) -> None:
        self._entry = entry
        self._name = name
        self._body = b""
        entry.later(lambda _: self._keep())

    def add(self, part: bytes) -> None:
        if len(self._body) < MOST:
            self._body += part[: MOST - len(self._body)]

    def _keep(self) -> None:
        text = self._body.decode(errors="ignore")
        # A recording, or a form around it.
        if text and "\0" not in text and len(text.encode()) > 0.9 * len(self._body):
            self._entry.contents[self._name] = text


def noted(entry: Entry, text: str | Pieces) -> str | Pieces:
    """The same text, listening."""
    if not isinstance(text, str):
        return _noted(entry, text)
    entry.contents["input"] = text[:MOST]
    return text


async def _noted(entry: Entry, pieces: Pieces) -> AsyncGenerator[str | Flush, None]:
    async for piece in pieces:
        if isinstance(piece, str) and len(said := entry.contents.get("input", "")) < MOST:
            entry.contents["input"] = said + piece
        yield piece
