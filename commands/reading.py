"""A text, spoken into what was asked for: the loop behind `fireside say`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from commands import remote
from commands.journal import Seam
from commands.manuscript import Arriving, Manuscript
from commands.meter import Reached, Show
from commands.recording import Recording
from models.base import Audio, SpeechJob, Voice
from models.errors import InvalidInput, SettingsError
from models.loader import hosts
from models.quiet import quiet
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler, Synthesizer
from voice.speak import SentenceAudio, SentenceEnded, SentenceStarted, SpeechEvent, speak

IN_HAND = 3600.0
"""Seconds before anybody hears a recording, as far as an engine is told."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is to be read, as the user said it; `voice` and `model` are empty for the usual ones."""

    voice: str = ""
    model: str = ""
    speed: float = 1.0
    seed: int | None = None
    normalize: bool = True


@dataclass(frozen=True, slots=True)
class Speaker:
    """`normalize` is False where whoever is behind the scheduler does that."""

    voice: Voice
    scheduler: Scheduler
    manner: Manner
    normalize: bool
    lookahead: int

    def speak(self, text: AsyncGenerator[str, None], *, clause_first: bool) -> AsyncGenerator[SpeechEvent, None]:
        return speak(
            text,
            owner="say",
            voice=self.voice,
            scheduler=self.scheduler,
            speed=self.manner.speed,
            seed=self.manner.seed,
            lookahead=self.lookahead,
            normalize=self.normalize,
            clause_first=clause_first,
        )


@dataclass(frozen=True, slots=True)
class Unhurried:
    """An engine for what nobody waits for. How it cuts a sentence into windows is then always the same, and so are the samples: with an
    audience it depends on how much that has in hand, and windows that are cut otherwise are rounded otherwise.
    """

    engine: Synthesizer

    @property
    def concurrency(self) -> int:
        return self.engine.concurrency

    def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        return self.engine.synthesize(replace(job, plays_at=time.monotonic() + IN_HAND))


class Sink(Protocol):
    async def write(self, audio: Audio) -> None: ...


@asynccontextmanager
async def engine_of(settings: Settings, manner: Manner, *, hurry: bool = True) -> AsyncGenerator[Speaker, None]:
    """The profile's speech engine, loaded for this and ended with it; text is not loaded. `hurry`: somebody waits for the first sound."""
    quiet()
    _, host, _ = hosts(settings.model_copy(update={"text": settings.text.model_copy(update={"engine": "none"})}))
    if host is None:
        raise SettingsError("this profile has no speech: speech.engine is none; choose another with --profile, or use a --server")
    engine, speech, aliases = host.engine, settings.speech, settings.aliases
    try:
        await engine.start()
        voice = Catalog(engine.voices(), speech.default_voice, aliases.voices, aliases.speech).find(manner.voice, manner.model)
        scheduler = Scheduler(engine if hurry else Unhurried(engine), speech.max_waiting)
        yield Speaker(voice, scheduler, manner, manner.normalize, speech.lookahead)
    finally:
        await engine.stop()


@asynccontextmanager
async def server_at(url: str, key: str, manner: Manner) -> AsyncGenerator[Speaker, None]:
    """A server that runs already. It normalises by itself."""
    async with remote.connected(url, key) as client:
        voice = (await remote.voices(client)).find(manner.voice)
        engine = remote.Remote(client, manner.voice, manner.model, voice.language, manner.normalize)
        yield Speaker(voice, Scheduler(engine, max_waiting=engine.concurrency), manner, False, lookahead=engine.concurrency)


async def read(speaker: Speaker, text: Manuscript | Arriving, sinks: Iterable[Sink], recording: Recording | None, show: Show) -> Reached:
    """Speak the text, or what a recording lacks of it. Raises InvalidInput where there was nothing to say, and so no audio."""
    seam = recording.seam if recording else Seam()
    reached, begin = Reached(seam.start, recording.seconds if recording else 0.0), seam.start
    async with aclosing(_events(speaker, text, seam)) as events:
        async for event in events:
            match event:
                case SentenceStarted():
                    begin, reached.characters = reached.characters, reached.characters + len(event.text)
                case SentenceAudio():
                    reached.seconds += event.audio.seconds
                    for sink in sinks:
                        await sink.write(event.audio)
                case SentenceEnded() if recording and event.seconds:
                    recording.mark(begin, reached.characters)
            show(reached)
    if not reached.seconds:
        raise InvalidInput(f"{text.name} has nothing that can be spoken: expected words or numbers, not signs or emoji alone")
    return reached


async def _events(speaker: Speaker, text: Manuscript | Arriving, seam: Seam) -> AsyncGenerator[SpeechEvent, None]:
    """The sentence before a seam is spoken again, and not heard: the pause after it is made as in one run, whatever decides on it."""
    pieces = text.pieces() if isinstance(text, Arriving) else text.pieces(seam.start)
    heard = not seam.end
    async with aclosing(speaker.speak(pieces, clause_first=isinstance(text, Arriving))) as events:
        async for event in events:
            if not heard and isinstance(event, SentenceStarted) and event.index == 0:
                _check_seam(event, seam)
            heard = heard or event.index > 0
            if heard or isinstance(event, SentenceStarted):
                yield event


def _check_seam(event: SentenceStarted, seam: Seam) -> None:
    if len(event.text) != seam.end - seam.start:
        raise InvalidInput("the text is no longer divided as it was where the recording stopped: begin anew with --force")
