"""WS /v1/audio/speech/stream: text as it is written, audio as it is made. docs/speech-stream.md describes the protocol."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.websockets import WebSocket

from api import errors, metrics
from api import stream_messages as messages
from api.runtime import Runtime
from api.session import Job, Session
from api.sound import Sound, SoundEvent, encoded, word
from api.stream_messages import ClientMessage, Options
from api.utterance import check_language, check_words, utter
from models.base import Voice
from models.errors import FiresideError, InvalidInput
from voice.encode import ThreadedEncoder
from voice.speak import Flush, SentenceStarted


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    @routes.websocket(StreamSession.route)
    async def stream(websocket: WebSocket) -> None:
        await StreamSession(runtime, websocket).run()

    return routes


class Utterance(Job):
    """A text on its way in, and how much of its audio is on its way out."""

    def __init__(self, name: str, options: Options, max_chars: int) -> None:
        self.name = name
        self.options = options
        self.samples = 0
        self.rate = 0
        self.characters = 0
        self._max_chars = max_chars
        self._came = 0
        self._pieces: asyncio.Queue[str | Flush | None] = asyncio.Queue()
        self._flushed = True

    def write(self, text: str) -> None:
        """Once it has become too long all that follows is refused too: no hole is left in it."""
        self._came += len(text)
        if self._came > self._max_chars:
            raise InvalidInput(
                f"utterance {self.name!r} has {self._came} characters with this text: at most {self._max_chars} are taken. "
                "What came before it is spoken. Send end, and the rest as another utterance.",
                param="text",
            )
        if text:
            self.characters += len(text)
            self._flushed = False
            self._pieces.put_nowait(text)

    def flush(self) -> None:
        if not self._flushed:
            self._flushed = True
            self._pieces.put_nowait(Flush.FLUSH)

    def end(self) -> None:
        self._pieces.put_nowait(None)

    async def text(self) -> AsyncGenerator[str | Flush, None]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


class StreamSession(Session[Utterance]):
    route = "/v1/audio/speech/stream"

    def __init__(self, runtime: Runtime, websocket: WebSocket) -> None:
        super().__init__(runtime, websocket)
        self.options = Options()
        self.open: Utterance | None = None
        """The utterance that text goes to."""
        self._numbers = count(1)
        self._max_chars = runtime.settings.speech.max_chars
        # JSON may write a character in twelve: \ud83d\ude00.
        self._max_frame = 12 * self._max_chars + 4096

    async def begin(self) -> None:
        await self._tell_options("ready")

    async def take(self, frame: str | None) -> None:
        if frame is None:
            raise InvalidInput("got a binary frame: expected text frames, each a message in JSON.")
        if len(frame) > self._max_frame:
            raise InvalidInput(f"got a frame of {len(frame)} characters: at most {self._max_frame} are taken. Send the text in parts.")
        await self.understand(frame)

    async def understand(self, frame: str) -> None:
        await self.obey(messages.parse(frame))

    async def obey(self, message: ClientMessage) -> None:
        match message:
            case messages.Configure():
                changed = self.options.changed(message)
                self.runtime.require_speech()
                self._encoder(changed, self._voice(changed))
                self.options = changed
                await self._tell_options("configured")
            case messages.Text():
                self._of(message).write(message.text)
            case messages.Flush() if self.open:
                self._of(message).flush()
            case messages.End():
                self._of(message).end()
                self.open = None
            case messages.Cancel():
                await self._cancel(message.utterance)

    def refusal(self, error: Exception) -> dict[str, Any]:
        return messages.Error(**errors.body(error)).model_dump()

    def _of(self, message: messages.OfUtterance) -> Utterance:
        """The open utterance, or a new one."""
        if self.open is None:
            self.open = self._new(message.utterance)
        if message.utterance not in {None, self.open.name}:
            raise InvalidInput(
                f"utterance {self.open.name!r} is open, and this message is for {message.utterance!r}: send end first.", param="utterance"
            )
        return self.open

    def _new(self, name: str | None) -> Utterance:
        name = name or self._free_name()
        if any(job.name == name for job in self.unfinished):
            raise InvalidInput(f"utterance {name!r} has ended, and is not done yet: give this one another name.", param="utterance")
        self.runtime.require_speech()
        self._encoder(self.options, self._voice(self.options))
        utterance = Utterance(name, self.options, self._max_chars)
        self.enqueue(utterance)
        return utterance

    def _free_name(self) -> str:
        taken = {job.name for job in self.unfinished}
        return next(name for number in self._numbers if (name := f"utterance-{number}") not in taken)

    async def _cancel(self, name: str | None) -> None:
        chosen = [job for job in self.unfinished if name in {None, job.name}]
        if self.open and name in {None, self.open.name}:
            self.open = None
        await self.cancel(*chosen)

    def _voice(self, options: Options) -> Voice:
        voice = self.runtime.loaded_speech()[0].find(options.voice, options.model)
        check_language(voice, options.language)
        if options.words:
            check_words(voice, "words")
        return voice

    def _encoder(self, options: Options, voice: Voice) -> ThreadedEncoder:
        return ThreadedEncoder(options.format, voice.rate, output_rate=options.sample_rate)

    async def speak(self, job: Utterance) -> None:
        with metrics.speech(self.route) as timeline:
            voice = self._voice(job.options)
            encoder = self._encoder(job.options, voice)
            job.rate = encoder.output_rate
            spoken = utter(self.runtime, job.text(), voice, job.options, self.socket.scope, timeline, words=job.options.words)
            async with aclosing(encoded(spoken, encoder)) as events:
                async for event in events:
                    if isinstance(event, Sound) and event.data:
                        timeline.item()
                    await self.tell(job, event)

    async def tell(self, job: Utterance, event: SoundEvent) -> None:
        if isinstance(event, Sound):
            await self._tell_sound(job, event)
        elif isinstance(event, SentenceStarted):
            start, end = event.at, event.at + len(event.text)
            await self._say(
                messages.SentenceStarted(utterance=job.name, sentence=event.index, text=event.text, char_start=start, char_end=end)
            )
        else:
            await self._say(messages.SentenceEnded(utterance=job.name, sentence=event.index, seconds=round(event.seconds, 3)))

    async def _tell_sound(self, job: Utterance, sound: Sound) -> None:
        told: dict[str, Any] = {
            "type": "audio",
            "utterance": job.name,
            "sentence": sound.sentence,
            "position": sound.position,
            "samples": sound.samples,
        }
        if job.options.words:
            told["words"] = [word(heard) for heard in sound.words]
        if job.options.encoding == "base64":
            await self.send({**told, "audio": base64.b64encode(sound.data).decode()})
        else:
            await self.send(told, sound.data)
        job.samples = sound.position + sound.samples

    async def finish(self, job: Utterance, error: FiresideError | None) -> None:
        if error:
            await self._say(messages.Error(utterance=job.name, **errors.body(error)))
        await self._say(
            messages.Done(
                utterance=job.name,
                status="cancelled" if job.cancelled else "failed" if error else "completed",
                characters=job.characters,
                samples=job.samples,
                seconds=round(job.samples / job.rate, 3) if job.rate else 0.0,
            )
        )

    async def _tell_options(self, kind: Literal["ready", "configured"]) -> None:
        voice = self._voice(self.options)
        rate = self._encoder(self.options, voice).output_rate
        known = {"model": voice.model, "voice": voice.id, "language": self.options.language or voice.language, "sample_rate": rate}
        await self._say(messages.Ready(type=kind, **{**self.options.model_dump(), **known}))

    async def _say(self, message: BaseModel) -> None:
        await self.send(message.model_dump())
