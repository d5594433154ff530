"""WS /v1/text-to-speech/{voice}/stream-input: what a client of ElevenLabs says there, as messages of the stream socket."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocket

from api import errors, metrics
from api import stream_messages as messages
from api.runtime import Runtime
from api.sound import Sound, SoundEvent
from api.speech_stream import StreamSession, Utterance
from api.stream_messages import Options
from models.errors import FiresideError, InvalidInput
from voice.letters import Letters
from voice.speak import SentenceStarted

FORMAT = re.compile(r"(pcm|mp3|opus|wav)_(\d{4,5})(?:_\d{1,3})?")


class VoiceSettings(BaseModel):
    speed: float | None = None


class Input(BaseModel):
    """Other fields, such as keys, schedules and the settings of their voices, have no effect."""

    text: str | None = None
    flush: bool = False
    voice_settings: VoiceSettings | None = None


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/v1/text-to-speech/{voice:path}/stream-input")
    async def stream_input(websocket: WebSocket, voice: str) -> None:
        await InputSession(runtime, websocket, voice).run()

    return routes


class InputSession(StreamSession):
    """One utterance, and the socket is closed."""

    route = "/v1/text-to-speech/stream-input"

    def __init__(self, runtime: Runtime, websocket: WebSocket, voice: str) -> None:
        super().__init__(runtime, websocket)
        self._asked = {"output_format": "mp3_44100_128", **websocket.query_params, "voice": voice}
        self._letters = Letters()
        self._ended = False

    async def begin(self) -> None:
        try:
            voice = self.runtime.loaded_speech()[0].find(self._asked["voice"])
            self.options = _options(self._asked).model_copy(update={"words": voice.word_times})
            self._encoder(self.options, voice)
        except FiresideError as error:
            metrics.refused(self.route, error)
            await self.send(self.refusal(error))
            await self.hang_up(error)

    async def understand(self, frame: str) -> None:
        message = _parse(frame)
        if self._ended:
            _check_nothing(message.text or "")
            return
        if message.voice_settings and message.voice_settings.speed and self.open is None:
            self.options = _changed(self.options, speed=message.voice_settings.speed)
        if message.text == "":
            self._ended = True
            await self.obey(messages.End(type="end"))
            return
        if message.text and (message.text.strip() or self.open):  # the blank that opens the socket is no text yet
            await self.obey(messages.Text(type="text", text=message.text))
        if message.flush:
            await self.obey(messages.Flush(type="flush"))

    async def tell(self, job: Utterance, event: SoundEvent) -> None:
        if isinstance(event, SentenceStarted):
            self._letters.begin(event.text, event.at)
        elif isinstance(event, Sound):
            self._letters.hear(event.words)
            begin, end = (place / job.rate for place in (event.position, event.position + event.samples))
            alignment = self._letters.until(begin, end) if job.options.words else None
            audio = base64.b64encode(event.data).decode()
            await self.send({"audio": audio, "isFinal": None, "normalizedAlignment": alignment, "alignment": alignment})

    async def finish(self, job: Utterance, error: FiresideError | None) -> None:
        await self.send(self.refusal(error) if error else {"audio": None, "isFinal": True})
        await self.hang_up(error)

    def refusal(self, error: Exception) -> dict[str, Any]:
        how = errors.refusal(error)
        return {"message": errors.body(error)["error"]["message"], "error": how.code or how.type, "code": how.close}


def _options(asked: dict[str, str]) -> Options:
    if not (found := FORMAT.fullmatch(asked["output_format"])):
        raise InvalidInput(
            f"expected an output_format such as pcm_24000 or mp3_44100_128; got {asked['output_format']!r}", param="output_format"
        )
    given = {"seed": asked["seed"]} if "seed" in asked else {}
    normalize = asked.get("apply_text_normalization") != "off"
    return _changed(Options(), voice=asked["voice"], format=found[1], sample_rate=int(found[2]), normalize=normalize, **given)


def _changed(options: Options, **changes: Any) -> Options:
    try:
        return Options.model_validate({**options.model_dump(), **changes})
    except ValidationError as error:
        raise errors.explain_validation(error.errors()) from error


def _check_nothing(text: str) -> None:
    """Blanks and a second end say nothing."""
    if text.strip():
        raise InvalidInput("the text has ended: expected nothing after it. Open another socket for another text.", param="text")


def _parse(frame: str) -> Input:
    try:
        message = Input.model_validate(orjson.loads(frame))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f'got what is not JSON ({error}): expected {{"text": "..."}}.') from error
    except ValidationError as error:
        raise errors.explain_validation(error.errors()) from error
    if message.text is None and not message.flush:
        raise InvalidInput(f'expected {{"text": "..."}} or {{"flush": true}}; got neither in {frame[:200]!r}', param="text")
    return message
