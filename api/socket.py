"""WS /ws: text in, audio out sentence by sentence, and ready for the next text. Its protocol is described in docs/ws.md."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket

from api import errors, metrics
from api.runtime import Runtime
from api.session import Job, Session
from api.sound import Sound, SoundEvent, encoded
from api.utterance import Delivery, check_language, check_text, utter
from models.base import Voice
from models.errors import FiresideError, InvalidInput
from voice.encode import Format, ThreadedEncoder
from voice.speak import SentenceEnded, SentenceStarted


class Options(Delivery):
    """What a text is spoken with. A field that is left out keeps its value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: str | None = None
    format: Format = "pcm"
    events: bool = False


class Config(Options):
    type: Literal["config"]


class Speak(Options):
    type: Literal["speak"]
    text: str


class Cancel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["cancel"]


Message = TypeAdapter[Config | Speak | Cancel](Annotated[Config | Speak | Cancel, Field(discriminator="type")])


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await TextSession(runtime, websocket).run()

    return routes


def parse(frame: str) -> Config | Speak | Cancel | None:
    """A frame that begins as a JSON object is a message; anything else is plain text to speak (None). Raises InvalidInput."""
    if not frame.lstrip().startswith("{"):
        return None
    try:
        return Message.validate_python(orjson.loads(frame))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"got a frame that begins with {{ and is not JSON ({error}): expected a message of type config, speak or cancel. "
            'To speak a text that begins so, send {"type": "speak", "text": ...}.'
        ) from error
    except ValidationError as error:
        raise errors.explain_validation(error.errors()) from error


@dataclass(eq=False)
class Text(Job):
    text: str
    options: Options


class TextSession(Session[Text]):
    route = "/ws"

    def __init__(self, runtime: Runtime, websocket: WebSocket) -> None:
        super().__init__(runtime, websocket)
        self.options = Options()

    async def take(self, frame: str | None) -> None:
        if frame is None:
            raise InvalidInput("got a binary frame: send text, or a JSON message of type config, speak or cancel.")
        match parse(frame):
            case Config() as config:
                changed = self.options.changed(config)
                self.runtime.require_speech()
                self._voice(changed)
                self.options = changed
            case Speak() as wanted:
                self._accept(wanted.text, self.options.changed(wanted))
            case Cancel():
                await self.cancel(*self.unfinished)
            case None:
                self._accept(frame, self.options)

    def _accept(self, text: str, options: Options) -> None:
        check_text(text, self.runtime.settings.speech.max_chars, "text")
        self.runtime.require_speech()
        self._voice(options)
        self.enqueue(Text(text, options))

    def _voice(self, options: Options) -> Voice:
        voice = self.runtime.loaded_speech()[0].find(options.voice)
        check_language(voice, options.language)
        return voice

    async def speak(self, job: Text) -> None:
        with metrics.speech(self.route) as timeline:
            voice = self._voice(job.options)
            spoken = utter(self.runtime, job.text, voice, job.options, self.socket.scope, timeline, param="text")
            async with aclosing(encoded(spoken, ThreadedEncoder(job.options.format, voice.rate))) as events:
                async for event in events:
                    await self._tell(event, job.options, timeline)

    async def _tell(self, event: SoundEvent, options: Options, timeline: metrics.SpokenTimeline) -> None:
        if isinstance(event, Sound):
            if event.data:
                timeline.item()
                await self.send(event.data)
        elif options.events:
            await self.send(_describe(event))

    async def finish(self, job: Text, error: FiresideError | None) -> None:
        if error:
            await self.send(self.refusal(error))
        if job.options.events:
            await self.send({"type": "done", "cancelled": job.cancelled})


def _describe(event: SentenceStarted | SentenceEnded) -> dict[str, Any]:
    if isinstance(event, SentenceStarted):
        return {"type": "sentence.started", "index": event.index, "text": event.text}
    return {"type": "sentence.ended", "index": event.index, "seconds": round(event.seconds, 3)}
