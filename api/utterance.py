"""One text on its way to audio: what all speech routes ask of it and do with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import count
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from api import entries
from api.accounts import priority
from api.contents import noted
from api.metrics import SpokenTimeline
from api.requests import request_id
from api.runtime import Runtime
from models.base import Scope, Voice
from models.errors import InvalidInput
from voice.sentences import SentenceSplitter
from voice.speak import Pieces, SentenceAudio, SpeechEvent, speak

_numbers = count(1)
LONG_SENTENCE = 100
"""Characters from which on a first sentence is heard clearly sooner by its first clause. A shorter one would only lose its melody."""


class Delivery(BaseModel):
    """How a text is read."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    """1 is the voice's own pace."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """The same seed, text, voice and speed give the same audio."""
    normalize: bool = True
    """Read numbers, dates, abbreviations and the like as a person would."""
    language: str = ""
    """One of the languages of a voice that has several, as BCP 47; without it, the voice's own."""

    def changed(self, change: BaseModel) -> Self:
        """With what `change` has been given of these options; the others stay."""
        return self.model_copy(update=change.model_dump(include=change.model_fields_set & type(self).model_fields.keys()))


def check_text(text: str, max_chars: int, param: str = "input") -> None:
    if not text.strip():
        raise InvalidInput(f"{param} is empty: expected text to speak.", param=param)
    if len(text) > max_chars:
        raise InvalidInput(f"{param} has {len(text)} characters: at most {max_chars} are taken. Send it in parts.", param=param)
    check_characters(text, param)


def check_characters(text: str, param: str) -> None:
    """What JSON and forms can hold, but neither a worker nor a file takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise InvalidInput(
            f"{param} has {half} at character {error.start}, half of a surrogate pair: expected whole Unicode characters. "
            "Send both halves, or leave it out.",
            param=param,
        ) from None


def check_words(voice: Voice, param: str) -> None:
    if not voice.word_times:
        raise InvalidInput(f"{param}: the voice {voice.id} does not know when its words are heard. Leave it out.", param=param)


def check_language(voice: Voice, language: str) -> None:
    check_characters(language, "language")
    known = voice.languages or (voice.language,)
    if language and _primary(language) not in map(_primary, known):
        raise InvalidInput(
            f"language: the voice {voice.id} does not speak {language!r}. Expected {', '.join(known)}, or none for {voice.language}.",
            param="language",
        )


def _primary(language: str) -> str:
    return language.lower().split("-")[0]


async def utter(
    runtime: Runtime,
    text: str | Pieces,
    voice: Voice,
    delivery: Delivery,
    scope: Scope,
    timeline: SpokenTimeline,
    *,
    words: bool = False,
    param: str = "",
) -> AsyncGenerator[SpeechEvent, None]:
    """Speak `text` for the request of `scope`, which was let in.

    If it came whole, as `param`, it must have something to say: InvalidInput at its end.
    """
    _, scheduler = runtime.loaded_speech()
    entry = entries.current()
    entry.voice, entry.model = voice.id, entry.model or voice.model
    if runtime.settings.logs.contents and entry.event != "request":
        text = noted(entry, text)
    events = speak(
        text,
        # Clients choose request ids, and two may choose the same: the number keeps their audio apart.
        owner=f"{request_id(scope)}.{next(_numbers)}",
        voice=voice,
        speed=delivery.speed,
        seed=delivery.seed,
        scheduler=scheduler,
        lookahead=runtime.settings.speech.lookahead,
        normalize=delivery.normalize,
        language=delivery.language,
        # Text that is still being written has its next clause only later: why wait for it.
        clause_first=not isinstance(text, str) or _begins_long(text, delivery.language or voice.language),
        words=words,
        priority=priority(scope),
    )
    async with aclosing(events):
        async for event in events:
            if isinstance(event, SentenceAudio):
                timeline.made(event.audio.seconds)
            yield event
    if param and not timeline.seconds:
        raise InvalidInput(f"{param} has nothing that can be spoken: expected words or numbers, not signs or emoji alone.", param=param)


def _begins_long(text: str, language: str) -> bool:
    return len(text) > LONG_SENTENCE and not SentenceSplitter(language).feed(text[:LONG_SENTENCE])
