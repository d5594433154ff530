"""What the routes need of the running server: its engines with their lives, the speech queue and the names clients may use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from api.metrics import MeasuredEngine
from models.base import Load, SpeechEngine, TextEngine
from models.errors import EngineFailed, NotReady
from models.host import EngineHost
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler

log = logging.getLogger("bentoml.fireside")


class Runtime:
    """`text` and `speech` are None where the configuration has none.

    Speech loads first and is measured; text gets what is left of the card.
    """

    def __init__(self, settings: Settings, *, text: EngineHost[TextEngine] | None, speech: EngineHost[SpeechEngine] | None) -> None:
        self.settings = settings
        self.text = text
        self.speech = speech
        self.scheduler = Scheduler(MeasuredEngine(speech.engine), max_waiting=settings.speech.max_waiting) if speech else None
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin loading and return at once."""
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        if self.speech:
            self.speech.start()
            with suppress(EngineFailed):  # text is served all the same; readiness tells what is missing
                await self.speech.wait_ready()
                self._tell_wrong_names()
        if self.text:
            self.text.start()

    def _tell_wrong_names(self) -> None:
        """Which voices there are is known only now."""
        for fault in self.require_speech()[0].faults():
            log.error("%s", fault)

    async def stop(self) -> None:
        if self._starting:
            self._starting.cancel()
        await asyncio.gather(*(host.stop() for _, host in self.hosts()))

    def hosts(self) -> Iterator[tuple[str, EngineHost[Any]]]:
        if self.text:
            yield "text", self.text
        if self.speech:
            yield "speech", self.speech

    def ready(self) -> bool:
        return all(host.ready() for _, host in self.hosts())

    def loads(self) -> Iterator[tuple[str, bool, Load]]:
        """Each engine, whether it is ready, and what is running in and waiting for it."""
        if self.text:
            yield "text", self.text.ready(), self.text.engine.load()
        if self.speech and self.scheduler:
            yield "speech", self.speech.ready(), self.scheduler.load()

    def require_text(self) -> TextEngine:
        if self.text is None:
            raise NotReady("this server has no text engine: text.engine is none in its configuration", retry_after=3600)
        return self.text.require()

    def require_speech(self) -> tuple[Catalog, Scheduler]:
        if self.speech is None or self.scheduler is None:
            raise NotReady("this server has no speech engine: speech.engine is none in its configuration", retry_after=3600)
        aliases, default_voice = self.settings.aliases, self.settings.speech.default_voice
        return Catalog(self.speech.require().voices(), default_voice, aliases.voices, aliases.speech), self.scheduler
