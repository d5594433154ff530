"""POST /v1/audio/speech as OpenAI's, streamed as audio or as events, and GET /v1/audio/voices."""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from api import errors, metrics
from api.metrics import SpokenTimeline
from api.runtime import Runtime
from api.sound import Sound, encoded, word
from api.streaming import AS_IT_COMES, Stream
from api.utterance import Delivery, check_language, check_text, check_words, utter
from models.base import Scope, Voice
from models.errors import InvalidInput
from voice.encode import CONTENT_TYPES, Format, ThreadedEncoder

ROUTE = "/v1/audio/speech"
EVENT_TYPES = {"sse": "text/event-stream", "jsonl": "application/x-ndjson"}
TOKENS_PER_SECOND = 20
"""OpenAI's models count audio that they make by tokens of 50 ms."""


class VoiceId(BaseModel):
    id: str


class SpeechRequest(Delivery):
    """OpenAI's request; `instructions` is accepted, as its clients send it, and has no effect on voices that take none."""

    model: str
    """A speech model of GET /v1/models, or an alias such as tts-1."""
    input: str
    """The text to speak."""
    voice: str | VoiceId | None = None
    """A voice of GET /v1/audio/voices, or an alias such as alloy. Without one: the default voice."""
    response_format: Format = "mp3"
    """pcm is signed 16-bit little-endian, mono, 24 kHz."""
    stream_format: Literal["audio", "sse", "jsonl"] = "audio"
    """Raw audio, as it is made; or events with audio in base64 and usage at the end: as server-sent events, or one to a line."""
    timestamps: Literal["word"] | None = None
    """Tell when each word of the input is heard. With events only, and for voices that know (`word_times` in GET /v1/audio/voices)."""
    instructions: str | None = None


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=metrics.CountedRoute)
    types = {*CONTENT_TYPES.values(), *EVENT_TYPES.values()}

    @routes.post(ROUTE, response_class=Response, responses={200: {"content": {kind: {} for kind in types}}})
    async def speech(wanted: SpeechRequest, request: Request) -> Response:
        catalog, _ = runtime.require_speech()
        voice = catalog.find(_voice_name(wanted.voice), wanted.model)
        check_text(wanted.input, runtime.settings.speech.max_chars)
        check_language(voice, wanted.language)
        _check_timestamps(wanted, voice)
        if wanted.stream_format == "audio":
            return Stream(_audio(runtime, wanted, voice, request.scope), media_type=CONTENT_TYPES[wanted.response_format])
        events = _framed(_events(runtime, wanted, voice, request.scope), wanted.stream_format)
        return Stream(events, media_type=EVENT_TYPES[wanted.stream_format], headers=AS_IT_COMES)

    @routes.get("/v1/audio/voices")
    async def voices() -> dict[str, Any]:
        catalog, _ = runtime.require_speech()
        return {"object": "list", "data": [_describe(voice) for voice in catalog.voices], "aliases": dict(catalog.voice_aliases)}

    return routes


def _voice_name(voice: str | VoiceId | None) -> str | None:
    return voice.id if isinstance(voice, VoiceId) else voice


def _check_timestamps(wanted: SpeechRequest, voice: Voice) -> None:
    if wanted.timestamps is None:
        return
    if wanted.stream_format == "audio":
        raise InvalidInput("timestamps have no place in bare audio: ask for stream_format sse or jsonl with them.", param="timestamps")
    check_words(voice, "timestamps")


async def _audio(runtime: Runtime, wanted: SpeechRequest, voice: Voice, scope: Scope) -> AsyncGenerator[bytes, None]:
    with metrics.counted(ROUTE), metrics.speech(ROUTE) as timeline:
        async with aclosing(_sounds(runtime, wanted, voice, scope, timeline)) as sounds:
            async for sound in sounds:
                if sound.data:
                    timeline.item()
                    yield sound.data


async def _events(runtime: Runtime, wanted: SpeechRequest, voice: Voice, scope: Scope) -> AsyncGenerator[dict[str, Any], None]:
    """An error before the first event is raised, one after it is the last event."""
    begun = False
    try:
        with metrics.counted(ROUTE), metrics.speech(ROUTE) as timeline:
            async with aclosing(_sounds(runtime, wanted, voice, scope, timeline)) as sounds:
                async for sound in sounds:
                    if sound.data:
                        timeline.item()
                    if sound.data or sound.words:
                        begun = True
                        yield _delta(sound, wanted)
            yield {"type": "speech.audio.done", "usage": _usage(wanted.input, timeline.seconds)}
    except Exception as error:
        if not begun:
            raise
        yield {"type": "error", **errors.body(error)}


async def _sounds(
    runtime: Runtime, wanted: SpeechRequest, voice: Voice, scope: Scope, timeline: SpokenTimeline
) -> AsyncGenerator[Sound, None]:
    spoken = utter(runtime, wanted.input, voice, wanted, scope, timeline, words=wanted.timestamps is not None, param="input")
    async with aclosing(encoded(spoken, ThreadedEncoder(wanted.response_format, voice.rate))) as events:
        async for event in events:
            if isinstance(event, Sound):
                yield event


def _delta(sound: Sound, wanted: SpeechRequest) -> dict[str, Any]:
    delta: dict[str, Any] = {"type": "speech.audio.delta", "audio": base64.b64encode(sound.data).decode()}
    return delta if wanted.timestamps is None else {**delta, "words": [word(told) for told in sound.words]}


def _usage(text: str, seconds: float) -> dict[str, Any]:
    """These voices have no tokens. What is counted in their place is true, and told in docs/speech-stream.md."""
    audio = math.ceil(seconds * TOKENS_PER_SECOND)
    return {"input_tokens": len(text), "output_tokens": audio, "total_tokens": len(text) + audio, "seconds": round(seconds, 3)}


async def _framed(events: AsyncGenerator[dict[str, Any], None], form: Literal["sse", "jsonl"]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            line = orjson.dumps(event)
            yield b"data: " + line + b"\n\n" if form == "sse" else line + b"\n"


def _describe(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.id,
        "object": "voice",
        "model": voice.model,
        "language": voice.language,
        "languages": voice.languages or (voice.language,),
        "licence": voice.licence,
        "description": voice.description,
        "sample_rate": voice.rate,
        "word_times": voice.word_times,
    }
