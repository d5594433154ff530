"""POST /v1/audio/transcriptions and /v1/audio/translations as OpenAI's: a recording to text, whole or as it is understood."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api import entries, errors, metrics, turns
from api.accounts import priority
from api.keys import holder_of
from api.places import Places
from api.requests import request_id
from api.runtime import Runtime
from api.streaming import AS_IT_COMES, Stream, unless_gone
from api.upload import form
from api.utterance import check_characters
from models.base import LISTENING_RATE, Language, ListeningJob, Scope, Segment, Task
from models.errors import InvalidInput, UnknownModel
from voice.heard_languages import NAMES, language_of
from voice.subtitles import srt, vtt

ROUTES: dict[str, Task] = {"/v1/audio/transcriptions": "transcribe", "/v1/audio/translations": "translate"}
TOKENS_PER_SECOND = 50
"""Positions of Whisper's encoder, counted as the tokens of audio that came in."""
TYPES = ("application/json", "text/plain", "text/vtt", "text/event-stream")
LISTS = ("timestamp_granularities", "include")
_numbers = count(1)


class Wanted(BaseModel):
    """OpenAI's form, but for its file. Fields that it has besides are left alone, as `chunking_strategy`."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)

    model: str
    """The listening model of GET /v1/models, or an alias such as whisper-1."""
    language: str = ""
    """What is spoken, as ISO 639-1 or BCP 47; without it, it is found out."""
    prompt: str = ""
    """Text that stands before it: names and a style to follow."""
    temperature: Annotated[float, Field(ge=0, le=1)] = 0.0
    """0 begins there, and goes up where the text does not fit the audio."""
    response_format: Literal["json", "text", "verbose_json", "srt", "vtt"] = "json"
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ()
    """What verbose_json tells the times of; nothing is segments."""
    include: tuple[str, ...] = ()
    stream: bool = False
    """Events with the text as it is understood."""

    @property
    def words(self) -> bool:
        return "word" in self.timestamp_granularities


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=metrics.CountedRoute)
    places = runtime.recordings.places
    for route, task in ROUTES.items():
        answers: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in TYPES}}}
        endpoint = _endpoint(runtime, places, route, task)
        routes.add_api_route(route, endpoint, methods=["POST"], openapi_extra=_described(), responses=answers, name=task)
    return routes


def _endpoint(runtime: Runtime, places: Places, route: str, task: Task) -> Any:
    async def endpoint(request: Request) -> Response:
        entries.current().model = runtime.require_listening().model
        key = holder_of(request.scope).name
        with places.taking(key):
            wanted, samples = await _taken(runtime, request)
        job = _job(wanted, samples, task, request.scope)
        if wanted.stream:
            return Stream(_framed(_events(runtime, places.taking(key), route, job)), media_type="text/event-stream", headers=AS_IT_COMES)
        with places.taking(key):
            heard = await unless_gone(hear(runtime, job), request.receive)
        metrics.hear(route, heard.seconds)
        return _answer(wanted, heard)

    return endpoint


async def _taken(runtime: Runtime, request: Request) -> tuple[Wanted, NDArray[np.float32]]:
    """The form and what its file sounds like."""
    async with form(request, runtime.settings.listening.max_bytes) as content:
        wanted = _wanted(content)
        _check(wanted, runtime)
        file = content.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidInput("file is missing: expected the recording as a file of the form.", param="file")
        return wanted, await unless_gone(runtime.recordings.decoded(file.file), request.receive)


def _wanted(content: FormData) -> Wanted:
    fields: dict[str, Any] = {name: value for name, value in content.items() if name != "file"}
    for name in LISTS:
        if given := [*content.getlist(name), *content.getlist(f"{name}[]")]:
            fields[name] = given
    try:
        return Wanted.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _check(wanted: Wanted, runtime: Runtime) -> None:
    name, aliases = runtime.loaded_listening().model, runtime.settings.aliases.listening
    if wanted.model not in {name, *aliases}:
        known = ", ".join((name, *aliases))
        raise UnknownModel(f"The model `{wanted.model}` does not exist, or does not listen: there are {known}.", param="model")
    language_of(wanted.language)
    check_characters(wanted.prompt, "prompt")
    if wanted.include:
        raise InvalidInput(f"include is {', '.join(wanted.include)}: nothing can be included here. Leave it out.", param="include")
    if wanted.words and wanted.response_format != "verbose_json":
        raise InvalidInput(
            f"timestamp_granularities have no place in {wanted.response_format}: ask for response_format verbose_json with them.",
            param="timestamp_granularities",
        )
    if wanted.stream and wanted.response_format not in {"json", "text"}:
        raise InvalidInput(
            f"{wanted.response_format} cannot be streamed: ask for response_format json or text, or leave stream out.", param="stream"
        )


def _job(wanted: Wanted, samples: NDArray[np.float32], task: Task, scope: Scope) -> ListeningJob:
    return ListeningJob(
        f"{request_id(scope)}.{next(_numbers)}",
        samples,
        task=task,
        language=language_of(wanted.language),
        prompt=wanted.prompt,
        temperature=wanted.temperature or None,
        words=wanted.words,
        priority=priority(scope),
    )


@dataclass
class Heard:
    """A transcript as far as it is known."""

    seconds: float
    task: Task
    language: str = ""
    segments: list[Segment] = field(default_factory=list)

    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    def add(self, item: Language | Segment) -> str:
        """What it adds to the text."""
        if isinstance(item, Language):
            self.language = item.code
            return ""
        first = not any(segment.text.strip() for segment in self.segments)
        self.segments.append(item)
        return item.text.lstrip() if first else item.text


async def hear(runtime: Runtime, job: ListeningJob) -> Heard:
    heard = Heard(len(job.samples) / LISTENING_RATE, job.task)
    async with aclosing(turns.transcribe(runtime, job)) as items:
        async for item in items:
            heard.add(item)
    return heard


async def _events(
    runtime: Runtime, place: AbstractContextManager[None], route: str, job: ListeningJob
) -> AsyncGenerator[dict[str, Any], None]:
    """An error before the first event is raised, one after it is the last event."""
    heard, begun, text = Heard(len(job.samples) / LISTENING_RATE, job.task), False, ""
    try:
        with metrics.counted(route), place:
            async with aclosing(turns.transcribe(runtime, job)) as items:
                async for item in items:
                    if delta := heard.add(item):
                        begun, text = True, text + delta
                        yield {"type": "transcript.text.delta", "delta": delta}
            metrics.hear(route, heard.seconds)
            yield {"type": "transcript.text.done", "text": text, "usage": _tokens(heard)}
    except Exception as error:
        if not begun:
            raise
        yield {"type": "error", **errors.body(error)}


async def _framed(events: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield b"data: " + orjson.dumps(event) + b"\n\n"


def _answer(wanted: Wanted, heard: Heard) -> Response:
    match wanted.response_format:
        case "json":
            return JSONResponse({"text": heard.text(), "usage": _duration(heard)})
        case "verbose_json":
            return JSONResponse(_verbose(wanted, heard))
        case "text":
            return PlainTextResponse(heard.text() + "\n")
        case "srt":
            return PlainTextResponse(srt(heard.segments))
        case "vtt":
            return PlainTextResponse(vtt(heard.segments), media_type="text/vtt")


def _verbose(wanted: Wanted, heard: Heard) -> dict[str, Any]:
    """A translation's language is English, as OpenAI's says."""
    code = "en" if heard.task == "translate" else heard.language
    told: dict[str, Any] = {
        "task": heard.task,
        "language": NAMES.get(code, code),
        "duration": round(heard.seconds, 3),
        "text": heard.text(),
        "usage": _duration(heard),
    }
    if wanted.words:
        told["words"] = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
            for segment in heard.segments
            for word in segment.words
        ]
    if "segment" in wanted.timestamp_granularities or not wanted.words:
        told["segments"] = [_segment(number, segment) for number, segment in enumerate(heard.segments)]
    return told


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": int(segment.start * 100),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _duration(heard: Heard) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(heard.seconds, 3)}


def _tokens(heard: Heard) -> dict[str, Any]:
    came, made = math.ceil(heard.seconds * TOKENS_PER_SECOND), sum(len(segment.tokens) for segment in heard.segments)
    details = {"audio_tokens": came, "text_tokens": 0}
    return {
        "type": "tokens",
        "input_tokens": came,
        "output_tokens": made,
        "total_tokens": came + made,
        "input_token_details": details,
        "seconds": round(heard.seconds, 3),
    }


def _described() -> dict[str, Any]:
    """The form, for /openapi.json: FastAPI does not see it, since it is read no further than is allowed."""
    schema = Wanted.model_json_schema()
    schema["properties"] = {"file": {"type": "string", "format": "binary", "title": "File"}, **schema["properties"]}
    schema["required"] = ["file", *schema["required"]]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
