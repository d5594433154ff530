"""A conversation put to a running server: the words of its answer as they come, and their sound."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from commands import remote
from commands.player import Player, playing
from models.base import Audio
from models.errors import EngineFailed

RATE = 24000
Messages = list[dict[str, str]]


@dataclass(slots=True)
class Answer:
    """What has come of it so far."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """`model` is empty for the server's own."""

    client: httpx.AsyncClient
    model: str
    tell: Callable[[str], None]
    """Is told what the server waits for."""

    async def answer(self, messages: Messages, show: Callable[[str], None], into: Answer, voice: str | None, player: str) -> None:
        """Show the answer while it comes, and play it if there is a `voice`; "" is the default one. Cancelled, it is silent at once."""
        async with _loudspeaker(player if voice is not None else "") as play, aclosing(self.ask(messages, voice)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Audio):
                    play(piece)
                else:
                    into.text += piece
                    show(piece)

    async def ask(self, messages: Messages, voice: str | None = None) -> AsyncGenerator[str | Audio, None]:
        """Raises FiresideError with the server's words. Closing it stops the server's work."""
        begun = False
        try:
            async with remote.patient(self.client, "/v1/chat/completions", self._request(messages, voice), self.tell) as answer:
                begun = True
                async with aclosing(_events(answer)) as events:
                    async for event in events:
                        for piece in _pieces(event):
                            yield piece
        except httpx.TransportError as error:
            raise (remote.broken_off if begun else remote.unreachable)(self.client, error) from error

    def _request(self, messages: Messages, voice: str | None) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": messages, "stream": True} | ({"model": self.model} if self.model else {})
        if voice is not None:
            body |= {"modalities": ["text", "audio"], "audio": {"format": "pcm16"} | ({"voice": voice} if voice else {})}
        return body


async def _events(answer: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """Raises EngineFailed if their end does not come: something between here and the server may end them without an error."""
    with suppress(json.JSONDecodeError):  # of one that was cut
        async for line in answer.aiter_lines():
            data = line.removeprefix("data: ")
            if data == "[DONE]":
                return
            if data != line:
                yield json.loads(data)
    raise EngineFailed(f"{answer.url} ended its answer ({answer.status_code}) before it was whole: see the server's log")


def _pieces(event: dict[str, Any]) -> list[str | Audio]:
    if error := event.get("error"):
        raise EngineFailed(str(error.get("message") or error))
    choices = event.get("choices") or [{}]
    delta: dict[str, Any] = choices[0].get("delta") or {}
    audio: dict[str, Any] = delta.get("audio") or {}
    found: list[str | Audio] = [text for text in (delta.get("content"), audio.get("transcript")) if text]
    if data := audio.get("data"):
        found.append(Audio(np.frombuffer(base64.b64decode(data), "<i2").astype(np.int16), RATE))
    return found


@dataclass(frozen=True, slots=True)
class _Sounds:
    """Between the server and the player: words are not to wait until what was said before them is heard."""

    waiting: asyncio.Queue[Audio | None] = field(default_factory=asyncio.Queue)

    async def play(self, player: Player) -> None:
        while (audio := await self.waiting.get()) is not None:
            await player.write(audio)


@asynccontextmanager
async def _loudspeaker(name: str) -> AsyncGenerator[Callable[[Audio], None], None]:
    """All is heard at its end. Without a name nothing is played."""
    if not name:
        yield lambda _: None
        return
    sounds = _Sounds()
    async with playing(name) as player:
        task = asyncio.create_task(sounds.play(player))
        try:
            yield sounds.waiting.put_nowait
            sounds.waiting.put_nowait(None)
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
