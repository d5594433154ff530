"""What a chat request wants of audio: an answer that is spoken, and earlier spoken answers in its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from api import errors
from api.past_audio import PastAudio
from api.runtime import Runtime
from api.utterance import Delivery, check_language
from models.base import Voice
from models.errors import InvalidInput, UnknownVoice
from voice.encode import Format

AudioFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm16"]
STREAMED: AudioFormat = "pcm16"
"""The one format whose pieces can be joined, and so OpenAI's only one in a stream."""
OURS = ("modalities", "audio", "stream", "stream_options")
"""Fields that the text engine is not given."""


class VoiceId(BaseModel):
    id: str


class AudioWanted(Delivery):
    """OpenAI's `audio`, and beyond it how the answer is read. Without a voice: the default one."""

    format: AudioFormat
    voice: str | VoiceId | None = None

    @property
    def voice_name(self) -> str | None:
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice

    @property
    def encoding(self) -> Format:
        return "pcm" if self.format == "pcm16" else self.format


@dataclass(frozen=True, slots=True)
class SpokenRequest:
    """A chat completion that is to be spoken; `body` is what the text engine is asked."""

    body: dict[str, Any]
    audio: AudioWanted
    voice: Voice
    stream: bool
    usage: bool
    """Told in a stream, too."""


def wants_audio(body: Mapping[str, Any]) -> bool:
    """Raises InvalidInput for modalities that do not exist."""
    modalities = body.get("modalities")
    if modalities is None:
        return False
    if not isinstance(modalities, list) or not modalities or not set(map(str, modalities)) <= {"text", "audio"}:
        raise InvalidInput(f'modalities: expected ["text"] or ["text", "audio"]; got {errors.short(modalities)}', param="modalities")
    return "audio" in modalities


def spoken_request(body: dict[str, Any], runtime: Runtime) -> SpokenRequest:
    """Of a request that was let in. Raises what can be said against it, and Overloaded if nobody could speak it now."""
    audio = _audio(body.get("audio"))
    stream = _stream(body)
    _check_together(body, audio, stream)
    catalog, scheduler = runtime.loaded_speech()
    try:
        voice = catalog.find(audio.voice_name)
    except UnknownVoice as error:
        raise UnknownVoice(str(error), param="audio.voice") from None
    check_language(voice, audio.language)
    with scheduler.serving(f"chat {id(body)}"):  # a refusal before the first byte
        options = body.get("stream_options")
        asked = {name: value for name, value in body.items() if name not in OURS}
        return SpokenRequest(asked, audio, voice, stream, isinstance(options, dict) and options.get("include_usage") is True)


def _stream(body: Mapping[str, Any]) -> bool:
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise InvalidInput(f"stream: expected true or false; got {errors.short(stream)}", param="stream")
    if body.get("stream_options") and not stream:
        raise InvalidInput("stream_options: they have a meaning only with stream. Ask for that, or leave them out.", param="stream_options")
    return bool(stream)


def _audio(wanted: Any) -> AudioWanted:
    if wanted is None:
        raise InvalidInput(
            'audio is missing: modalities ask for it; expected for example {"voice": "alloy", "format": "wav"}.', param="audio"
        )
    try:
        return AudioWanted.model_validate(wanted)
    except ValidationError as error:
        raise errors.explain_validation([{**fault, "loc": ("audio", *fault["loc"])} for fault in error.errors()]) from error


def _check_together(body: Mapping[str, Any], audio: AudioWanted, stream: bool) -> None:
    if body.get("n") not in (None, 1):
        raise InvalidInput(f"n: one answer is spoken at a time, got {errors.short(body['n'])}. Leave it out.", param="n")
    for name in ("logprobs", "top_logprobs"):
        if body.get(name):
            raise InvalidInput(f"{name}: a spoken answer comes without them. Leave it out, or ask for text alone.", param=name)
    if stream and audio.format != STREAMED:
        raise InvalidInput(
            f"audio.format: expected {STREAMED} with stream, as pieces of {audio.format} cannot be joined. Take that, or do not stream.",
            param="audio.format",
        )


def with_transcripts(messages: Any, past: PastAudio) -> Any:
    """The messages with the text of each earlier answer in the place of its audio. Raises InvalidInput for audio that is not known."""
    if not isinstance(messages, list):
        return messages
    return [_written(message, place, past) for place, message in enumerate(messages)]


def _written(message: Any, place: int, past: PastAudio) -> Any:
    if not isinstance(message, dict) or "audio" not in message:
        return message
    rest = {name: value for name, value in message.items() if name != "audio"}
    audio = message["audio"]
    if audio is None or rest.get("content"):
        return rest
    return rest | {"content": _transcript(audio, f"messages.{place}.audio", past)}


def _transcript(audio: Any, param: str, past: PastAudio) -> str:
    """What the client itself still has of it counts too: some send the whole answer back."""
    if not isinstance(audio, dict) or not isinstance(name := audio.get("id"), str):
        raise InvalidInput(f'{param}: expected {{"id": ...}} of an earlier answer; got {errors.short(audio)}', param=param)
    known = past.find(name)
    text = audio.get("transcript") if known is None else known
    if not isinstance(text, str):
        raise InvalidInput(
            f"{param}.id: the answer {errors.short(name)} is not known here, or no longer: answers are kept for an hour, and not over a "
            "restart. Send its transcript as content instead.",
            param=f"{param}.id",
        )
    return text
