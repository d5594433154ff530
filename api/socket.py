"""WS /ws: text in, audio out sentence by sentence, and ready for the next text. Its protocol is described in docs/ws.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket

from api import errors, metrics
from api.runtime import Runtime
from api.streaming import GONE, Cancelled, cancel
from api.utterance import Delivery, check_text, utter
from models.base import Voice
from models.errors import FiresideError, InvalidInput, NotReady, Overloaded
from voice.encode import Format, ThreadedEncoder
from voice.speak import SentenceAudio, SentenceEnded, SentenceStarted, SpeechEvent

MAX_QUEUED_TEXTS = 32


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
        await websocket.accept()
        await Session(runtime, websocket).run()

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


class Session:
    """One socket: a task that reads, a task that speaks, and the texts between them."""

    def __init__(self, runtime: Runtime, websocket: WebSocket) -> None:
        self.runtime = runtime
        self.socket = websocket
        self.options = Options()
        self.texts: asyncio.Queue[tuple[str, Options]] = asyncio.Queue(MAX_QUEUED_TEXTS)
        self.speaking: asyncio.Task[None] | None = None
        self.cancelling = False

    async def run(self) -> None:
        """Until the client leaves; then nothing of it is left."""
        try:
            self.runtime.require_speech()
        except NotReady as error:
            metrics.refused("/ws", error)
            await self._end(error)
            return
        try:
            await self._serve()
        except GONE:
            pass
        except Exception as error:
            await self._end(error)

    async def _serve(self) -> None:
        tasks = asyncio.create_task(self._read()), asyncio.create_task(self._speak_all())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(*tasks)
            for _ in range(self.texts.qsize()):
                metrics.refused("/ws", Cancelled())
        for task in done:
            task.result()

    async def _read(self) -> None:
        while True:
            frame = await self.socket.receive()
            if frame["type"] == "websocket.disconnect":
                return
            try:
                await self._take(frame)
            except FiresideError as error:
                metrics.refused("/ws", error)
                await self._refuse(error)

    async def _take(self, frame: Any) -> None:
        text = frame.get("text")
        if text is None:
            raise InvalidInput("got a binary frame: send text, or a JSON message of type config, speak or cancel.")
        match parse(text):
            case Config() as config:
                changed = _merged(self.options, config)
                self._check_voice(changed)
                self.options = changed
            case Speak() as wanted:
                self._enqueue(wanted.text, _merged(self.options, wanted))
            case Cancel():
                await self._cancel()
            case None:
                self._enqueue(text, self.options)

    def _enqueue(self, text: str, options: Options) -> None:
        check_text(text, self.runtime.settings.speech.max_chars, "text")
        self._check_voice(options)
        try:
            self.texts.put_nowait((text, options))
        except asyncio.QueueFull:
            raise Overloaded(f"{MAX_QUEUED_TEXTS} texts are waiting on this socket already: wait for their audio.") from None

    def _check_voice(self, options: Options) -> Voice:
        return self.runtime.require_speech()[0].find(options.voice)

    async def _cancel(self) -> None:
        self.cancelling = True
        if self.speaking:
            await cancel(self.speaking)
        await self.texts.join()
        self.cancelling = False

    async def _speak_all(self) -> None:
        while True:
            text, options = await self.texts.get()
            cancelled = False
            try:
                with metrics.counted("/ws"):
                    await self._speak_unless_cancelled(text, options)
            except Cancelled:
                cancelled = True
            except FiresideError as error:
                await self._refuse(error)
            if options.events:
                await self._send({"type": "done", "cancelled": cancelled})
            self.texts.task_done()

    async def _speak_unless_cancelled(self, text: str, options: Options) -> None:
        """In a task of its own, so that a cancel ends this text and not the socket: Cancelled is raised then."""
        if self.cancelling:
            raise Cancelled
        self.speaking = asyncio.create_task(self._speak(text, options))
        try:
            await asyncio.wait({self.speaking})
        finally:
            await cancel(self.speaking)
        if self.speaking.cancelled():
            raise Cancelled
        self.speaking.result()

    async def _speak(self, text: str, options: Options) -> None:
        with metrics.speech("/ws") as timeline:
            voice = self._check_voice(options)
            spoken = utter(self.runtime, text, voice, options, self.socket.scope, timeline, "text")
            async with aclosing(_encoded(spoken, options.format, voice.rate)) as events:
                async for event in events:
                    if isinstance(event, bytes):
                        timeline.item()
                        await self.socket.send_bytes(event)
                    elif options.events:
                        await self._send(_describe(event))

    async def _end(self, error: Exception) -> None:
        """Say why before closing. The client may have left meanwhile."""
        how = errors.refusal(error)
        with suppress(*GONE):
            await self._refuse(error)
            await self.socket.close(how.close, how.code)

    async def _refuse(self, error: Exception) -> None:
        await self._send({"type": "error", **errors.body(error)})

    async def _send(self, message: dict[str, Any]) -> None:
        await self.socket.send_text(orjson.dumps(message).decode())


def _merged(options: Options, change: Options) -> Options:
    return options.model_copy(update=change.model_dump(include=change.model_fields_set & Options.model_fields.keys()))


async def _encoded(
    events: AsyncGenerator[SpeechEvent, None],
    format: Format,  # noqa: A002 (the client's word for it)
    rate: int,
) -> AsyncGenerator[SentenceStarted | SentenceEnded | bytes, None]:
    """The events, with encoded bytes in the place of audio."""
    encoder = ThreadedEncoder(format, rate)
    try:
        async with aclosing(events):
            async for event in events:
                if not isinstance(event, SentenceAudio):
                    yield event
                elif piece := await encoder.encode(event.audio):
                    yield piece
        if piece := await encoder.close():
            yield piece
    finally:
        await encoder.close()


def _describe(event: SentenceStarted | SentenceEnded) -> dict[str, Any]:
    if isinstance(event, SentenceStarted):
        return {"type": "sentence.started", "index": event.index, "text": event.text}
    return {"type": "sentence.ended", "index": event.index, "seconds": round(event.seconds, 3)}
