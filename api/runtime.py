"""What the routes need of the running server: its engines with their lives, the speech queue and the names clients may use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from api.ending import Ending
from models.base import Load, SpeechEngine, TextEngine
from models.errors import NotReady
from models.host import EngineHost
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler


class Runtime:
    """`text` and `speech` are None where the configuration has none."""

    def __init__(self, settings: Settings, *, text: EngineHost[TextEngine] | None, speech: EngineHost[SpeechEngine] | None) -> None:
        self.settings = settings
        self.text = text
        self.speech = speech
        self.scheduler = Scheduler(speech.engine, max_waiting=settings.speech.max_waiting) if speech else None
        self._ending: Ending | None = None

    async def start(self) -> None:
        """Begin loading and return at once. From now on a signal that ends this process is known here."""
        for _, host in self.hosts():
            host.start()
        limits = {"text": min(self.settings.text.shutdown_timeout, self.settings.server.drain_timeout)}
        self._ending = Ending([(host, limits.get(name, self.settings.server.drain_timeout)) for name, host in self.hosts()])

    async def stop(self) -> None:
        if self._ending:
            self._ending.forget()
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
        speech = self.settings.speech
        catalog = Catalog(self.speech.require().voices(), speech.default_voice, speech.voice_aliases, speech.model_aliases)
        return catalog, self.scheduler
