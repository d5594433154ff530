"""What the routes need of the running server: its engines with their lives, the speech queue and the names clients may use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from api import standstill
from api.ending import Ending
from api.machine import Machine
from api.measured_engine import MeasuredEngine
from api.queue import Queue
from api.recordings import Recordings
from api.rest import resting
from models.base import ListeningEngine, Load, SpeechEngine, TextEngine
from models.errors import EngineFailed, NotReady
from models.host import E, EngineHost
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler

log = logging.getLogger(__name__)


class Runtime:
    """`text`, `speech` and `listening` are None where the configuration has none."""

    def __init__(
        self,
        settings: Settings,
        *,
        text: EngineHost[TextEngine] | None,
        speech: EngineHost[SpeechEngine] | None,
        listening: EngineHost[ListeningEngine] | None = None,
    ) -> None:
        self.settings = settings
        self.text = text
        self.speech = speech
        self.listening = listening
        waiting = (settings.speech.max_waiting, settings.speech.queue_timeout)
        self.scheduler = Scheduler(MeasuredEngine(speech.engine), *waiting) if speech else None
        self.text_queue = Queue(settings.text.most_running, settings.text.max_waiting, settings.text.queue_timeout, "requests for text")
        self.recordings = Recordings(settings.listening.max_seconds, settings.listening.max_waiting)
        self.machine = Machine()
        self._ending: Ending | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Begin loading and return at once. From now on a signal that ends this process is known here."""
        for _, host in self.hosts():
            host.start()
        limits = {"text": min(self.settings.text.shutdown_timeout, self.settings.server.drain_timeout)}
        self._ending = Ending([(host, limits.get(name, self.settings.server.drain_timeout)) for name, host in self.hosts()])
        forever = (self._tell_wrong_names(), resting(self.busy), standstill.watched())
        self._tasks = tuple(asyncio.create_task(each) for each in forever)

    async def _tell_wrong_names(self) -> None:
        """Which voices there are is known only once they are loaded."""
        if self.speech:
            with suppress(EngineFailed):
                await self.speech.wait_ready()
                for fault in self.loaded_speech()[0].faults():
                    log.error("%s", fault)

    async def stop(self) -> None:
        if self._ending:
            self._ending.forget()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(host.stop() for _, host in self.hosts()))
        if self._ending:
            self._ending.over()

    def hosts(self) -> Iterator[tuple[str, EngineHost[Any]]]:
        if self.text:
            yield "text", self.text
        if self.speech:
            yield "speech", self.speech
        if self.listening:
            yield "listening", self.listening

    def ready(self) -> bool:
        return all(host.ready() for _, host in self.hosts())

    def loads(self) -> Iterator[tuple[str, bool, Load]]:
        """Each engine, whether it is ready, and what is running in and waiting for it."""
        if self.text:
            load = self.text.engine.load()
            yield "text", self.text.ready(), Load(load.running, load.waiting + self.text_queue.waiting)
        if self.speech and self.scheduler:
            yield "speech", self.speech.ready(), self.scheduler.load()
        if self.listening:
            yield "listening", self.listening.ready(), self.listening.engine.load()

    def busy(self) -> bool:
        """Whether an engine works or loads."""
        loading = any(host.status.state == "loading" for _, host in self.hosts())
        return loading or any(load.running or load.waiting for _, _, load in self.loads())

    # Each request asks one of these once, at its door: they raise NotReady from SIGTERM on.

    def require_text(self) -> TextEngine:
        return _configured(self.text, "text").require()

    def require_speech(self) -> tuple[Catalog, Scheduler]:
        return self._to_speak(_configured(self.speech, "speech").require())

    def require_listening(self) -> ListeningEngine:
        return _configured(self.listening, "listening").require()

    # And of these, what goes on with a request that was let in: they raise NotReady only where the engine has ended.

    def loaded_text(self) -> TextEngine:
        return _configured(self.text, "text").loaded()

    def loaded_speech(self) -> tuple[Catalog, Scheduler]:
        return self._to_speak(_configured(self.speech, "speech").loaded())

    def loaded_listening(self) -> ListeningEngine:
        return _configured(self.listening, "listening").loaded()

    def _to_speak(self, engine: SpeechEngine) -> tuple[Catalog, Scheduler]:
        assert self.scheduler is not None  # there is one with the engine
        aliases, default_voice = self.settings.aliases, self.settings.speech.default_voice
        return Catalog(engine.voices(), default_voice, aliases.voices, aliases.speech), self.scheduler


def _configured(host: EngineHost[E] | None, kind: str) -> EngineHost[E]:
    if host is None:
        raise NotReady(f"this server has no {kind} engine: {kind}.engine is none in its configuration", retry_after=3600)
    return host
