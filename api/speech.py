"""POST /v1/audio/speech as OpenAI's, streamed, and GET /v1/audio/voices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from api import metrics
from api.runtime import Runtime
from api.streaming import Stream
from api.utterance import Delivery, check_text, utter
from models.base import Audio, Scope, Voice
from voice.encode import CONTENT_TYPES, Format, encode_stream
from voice.speak import SentenceAudio, SpeechEvent


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
    stream_format: Literal["audio"] = "audio"
    """Raw audio, as it is made."""
    instructions: str | None = None


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=metrics.CountedRoute)

    @routes.post("/v1/audio/speech", response_class=Response, responses={200: {"content": {kind: {} for kind in CONTENT_TYPES.values()}}})
    async def speech(wanted: SpeechRequest, request: Request) -> Response:
        catalog, _ = runtime.require_speech()
        voice = catalog.find(_voice_name(wanted.voice), wanted.model)
        check_text(wanted.input, runtime.settings.speech.max_chars)
        content = _encoded(runtime, wanted, voice, request.scope)
        return Stream(content, media_type=CONTENT_TYPES[wanted.response_format])

    @routes.get("/v1/audio/voices")
    async def voices() -> dict[str, Any]:
        catalog, _ = runtime.require_speech()
        return {"object": "list", "data": [_describe(voice) for voice in catalog.voices], "aliases": dict(catalog.voice_aliases)}

    return routes


def _voice_name(voice: str | VoiceId | None) -> str | None:
    return voice.id if isinstance(voice, VoiceId) else voice


async def _encoded(runtime: Runtime, wanted: SpeechRequest, voice: Voice, scope: Scope) -> AsyncGenerator[bytes, None]:
    with metrics.counted("/v1/audio/speech"), metrics.speech("/v1/audio/speech") as timeline:
        audio = _audio(utter(runtime, wanted.input, voice, wanted, scope, timeline, param="input"))
        async with aclosing(audio), aclosing(encode_stream(audio, wanted.response_format, voice.rate)) as encoded:
            async for piece in encoded:
                timeline.item()
                yield piece


async def _audio(events: AsyncGenerator[SpeechEvent, None]) -> AsyncGenerator[Audio, None]:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, SentenceAudio):
                yield event.audio


def _describe(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.id,
        "object": "voice",
        "model": voice.model,
        "language": voice.language,
        "licence": voice.licence,
        "description": voice.description,
        "sample_rate": voice.rate,
        "word_times": voice.word_times,
    }
