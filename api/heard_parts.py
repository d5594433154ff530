"""Audio in the messages of a chat, written down for a model that reads."""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import io
from base64 import b64decode
from typing import Any

from api import errors, metrics
from api.accounts import priority
from api.chat_stream import ROUTE
from api.keys import holder_of
from api.past_audio import PastAudio
from api.requests import request_id
from api.runtime import Runtime
from api.transcriptions import hear
from models.base import LISTENING_RATE, ListeningJob, Scope
from models.errors import InvalidInput, TooLarge

KIND = "input_audio"


class HeardParts:
    """Remembers for a while what it has heard: in a conversation the same recordings come with every turn."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._limits = runtime.settings.listening
        self._known = PastAudio()

    async def written(self, messages: Any, scope: Scope) -> Any:
        """The messages with a text for each recording. Raises InvalidInput, naming the part, and what the engine raises.

        Without a listening engine they stay as they are: the text engine itself may have ears, or says that it has none.
        """
        if self.runtime.listening is None or not isinstance(messages, list):
            return messages
        return [await self._message(message, f"messages.{place}", scope) for place, message in enumerate(messages)]

    async def _message(self, message: Any, place: str, scope: Scope) -> Any:
        parts = message.get("content") if isinstance(message, dict) else None
        if not isinstance(parts, list):
            return message
        return message | {"content": [await self._part(part, f"{place}.content.{at}", scope) for at, part in enumerate(parts)]}

    async def _part(self, part: Any, place: str, scope: Scope) -> Any:
        if not isinstance(part, dict) or part.get("type") != KIND:
            return part
        param = f"{place}.{KIND}"
        digest, data = await asyncio.to_thread(_opened, part.get(KIND), f"{param}.data")
        if (text := self._known.find(digest)) is None:
            text = await self._transcript(data, param, place, scope)
            self._known.add(digest, text)
        return {"type": "text", "text": text}

    async def _transcript(self, data: bytes, param: str, place: str, scope: Scope) -> str:
        if len(data) > self._limits.max_bytes:
            raise TooLarge(f"{param} has {len(data)} bytes: at most {self._limits.max_bytes} are taken. Send less.", param=param)
        with self.runtime.recordings.places.taking(holder_of(scope).name):
            try:
                samples = await self.runtime.recordings.decoded(io.BytesIO(data))
            except InvalidInput as error:
                raise InvalidInput(f"{param}: {error}", param=param) from error
            heard = await hear(self.runtime, ListeningJob(f"{request_id(scope)}.{place}", samples, urgent=True, priority=priority(scope)))
        metrics.hear(ROUTE, len(samples) / LISTENING_RATE)
        if not heard.text():
            raise InvalidInput(f"{param}: nothing is said in it. Send a recording with speech, or text.", param=param)
        return heard.text()


def has_recordings(messages: Any) -> bool:
    found = [message.get("content") for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    return any(isinstance(part, dict) and part.get("type") == KIND for parts in found if isinstance(parts, list) for part in parts)


def _opened(audio: Any, param: str) -> tuple[str, bytes]:
    """What it is known by, and its bytes."""
    data = audio.get("data") if isinstance(audio, dict) else None
    try:
        content = b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        raise InvalidInput(f"{param}: expected a recording in base64; got {errors.short(data)}", param=param)
    return hashlib.sha256(content).hexdigest(), content
