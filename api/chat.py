"""POST /v1/chat/completions: the text engine's own route, and around it what concerns audio, which the engine does not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from api import answers, errors, metrics, turns
from api.accounts import priority
from api.answer_aloud import Item, aloud
from api.audio_chunks import Chunks, Message
from api.chat_audio import SpokenRequest, spoken_request, wants_audio, with_transcripts
from api.chat_stream import ROUTE, Delta
from api.heard_parts import HeardParts, has_recordings
from api.keys import holder_of, require
from api.metrics import SpokenTimeline, TextTimeline
from api.past_audio import PastAudio, new_id
from api.requests import request_id
from api.runtime import Runtime
from api.sound import SoundEvent, encoded
from api.streaming import AS_IT_COMES, Disconnected, Stream, answer_nobody, unless_gone
from api.text import TextGateway, again, messages_of
from api.text_errors import ASGIMessage
from api.utterance import utter
from models.base import Receive, Scope, Send
from models.errors import FiresideError, InvalidInput
from voice.encode import ThreadedEncoder

MARK = b'audio"'
"""Stands in every body that has to do with audio, and in few others: those are not even parsed."""


class ChatGateway(TextGateway):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, ROUTE)
        self.past = PastAudio()
        self.heard = HeardParts(runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await messages_of(receive)
        body = messages[0].get("body", b"") if len(messages) == 1 else b"".join(message.get("body", b"") for message in messages)
        try:
            answers.check(body, self.runtime.settings.limits.max_answers)
            answers.check_cut(body)
        except InvalidInput as error:
            await self.refuse(error, scope, receive, send)
            return
        if MARK in body and isinstance(asked := _loads(body), dict):
            await self._with_audio(asked, messages, scope, receive, send)
        else:
            await super().__call__(scope, again(messages, receive), send)

    async def _with_audio(self, asked: dict[str, Any], messages: list[ASGIMessage], scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check_scopes(asked, scope)
            self.runtime.require_text()
            wanted = spoken_request(asked, self.runtime) if wants_audio(asked) else None
            read = await unless_gone(self._read(asked.get("messages"), scope), receive)
        except Disconnected as error:
            metrics.refused(self.route, error)
            await answer_nobody(send)
            return
        except FiresideError as error:
            await self.refuse(error, scope, receive, send)
            return
        if wanted:
            told = wanted.body | ({"messages": read} if "messages" in asked else {})
            await self._stream(replace(wanted, body=told), scope)(scope, receive, send)
        elif read == asked.get("messages"):
            await self.pass_on(scope, again(messages, receive), send)
        else:
            body = orjson.dumps(asked | {"messages": read})
            await self.pass_on(_of_length(scope, len(body)), again([_whole(body)], receive), send)

    async def _read(self, messages: Any, scope: Scope) -> Any:
        """As text alone."""
        return await self.heard.written(with_transcripts(messages, self.past), scope)

    def _stream(self, wanted: SpokenRequest, scope: Scope) -> Stream:
        answer = SpokenAnswer(self.runtime, wanted, self.past, scope)
        if wanted.stream:
            return Stream(answer.events(), media_type="text/event-stream", headers=AS_IT_COMES)
        return Stream(answer.whole(), media_type="application/json")


class SpokenAnswer:
    def __init__(self, runtime: Runtime, wanted: SpokenRequest, past: PastAudio, scope: Scope) -> None:
        self.runtime = runtime
        self.wanted = wanted
        self.past = past
        self.scope = scope
        self.id = new_id()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """An error before the first event is raised, one after it is an event."""
        begun = False
        try:
            async with aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield b"data: " + orjson.dumps(chunk) + b"\n\n"
        except Exception as error:
            if not begun:
                raise
            yield f"data: {errors.text(error)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    async def whole(self) -> AsyncGenerator[bytes, None]:
        message = Message(self.wanted.audio.format)
        with metrics.text(ROUTE) as text, metrics.speech(ROUTE) as speech:
            async with aclosing(self._items(text, speech)) as items:
                async for item in items:
                    if isinstance(item, Delta):
                        message.delta(item)
                        self._check_length(message.transcript)
                    else:
                        message.sound(item.data)
            text.finished = True
        until = self._remember(message.transcript)
        yield await asyncio.to_thread(lambda: orjson.dumps(message.body(self.id, until, speech.seconds)))  # megabytes of base64

    async def _chunks(self) -> AsyncGenerator[dict[str, Any], None]:
        made = Chunks(self.id)
        with metrics.text(ROUTE) as text, metrics.speech(ROUTE) as speech:
            async with aclosing(self._items(text, speech)) as items:
                async for item in items:
                    for chunk in made.delta(item) if isinstance(item, Delta) else made.sound(item.data):
                        yield chunk
            for chunk in made.end(self._remember(made.transcript), speech.seconds, usage=self.wanted.usage):
                yield chunk
            text.finished = True

    async def _items(self, text: TextTimeline, speech: SpokenTimeline) -> AsyncGenerator[Item, None]:
        deltas = turns.chat(self.runtime, self.wanted.body, request_id(self.scope), priority(self.scope))
        async with aclosing(aloud(deltas, lambda pieces: self._speak(pieces, speech))) as items:
            async for item in items:
                (text if isinstance(item, Delta) else speech).item()
                yield item

    def _speak(self, pieces: AsyncGenerator[str, None], timeline: SpokenTimeline) -> AsyncGenerator[SoundEvent, None]:
        wanted, voice = self.wanted.audio, self.wanted.voice
        return encoded(utter(self.runtime, pieces, voice, wanted, self.scope, timeline), ThreadedEncoder(wanted.encoding, voice.rate))

    def _remember(self, transcript: str) -> int | None:
        """Until when; None where nothing was said."""
        return self.past.add(self.id, transcript) if transcript else None

    def _check_length(self, transcript: str) -> None:
        """An answer that is not streamed is held until its end, and an hour of speech is 160 MB."""
        most = self.runtime.settings.speech.max_chars
        if len(transcript) > most:
            raise InvalidInput(
                f"the answer has become longer than {most} characters (speech.max_chars), too long to be spoken whole: stream it, or ask "
                "for fewer max_completion_tokens.",
                param="stream",
            )


def _check_scopes(asked: dict[str, Any], scope: Scope) -> None:
    """To hear and to speak takes a key that opens these, too."""
    if wants_audio(asked):
        require(holder_of(scope), "speech")
    if has_recordings(asked.get("messages")):
        require(holder_of(scope), "listening")


def _loads(body: bytes) -> Any:
    """What is no JSON is left to the engine to refuse."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _whole(body: bytes) -> ASGIMessage:
    return {"type": "http.request", "body": body, "more_body": False}


def _of_length(scope: Scope, length: int) -> Scope:
    headers = [pair for pair in scope["headers"] if pair[0] not in {b"content-length", b"transfer-encoding"}]
    return {**scope, "headers": [*headers, (b"content-length", b"%d" % length)]}
