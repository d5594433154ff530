"""A session of a socket in this process, over an engine of the tests' own: what a server with the mock engine cannot show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from starlette.websockets import WebSocket

from api.accounts import ENTER
from api.session import Session
from models.base import Audio, SpeechJob, Voice, Word
from models.errors import EngineFailed
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler

VOICES = (Voice("v", "m", "en", 24000, word_times=True), Voice("mute", "m", "en", 16000))


class Engine:
    """A moment of audio for every word but fail, which is an error, and bug, which is one; nothing at all for a sentence with wait."""

    concurrency = 2

    def __init__(self) -> None:
        self.jobs: list[SpeechJob] = []
        self.begun = asyncio.Event()
        self.made: asyncio.Queue[int] = asyncio.Queue()
        """The index of each sentence whose audio is complete."""

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        self.jobs.append(job)
        self.begun.set()
        if "wait" in job.text:
            await asyncio.Event().wait()
        rate = next(voice.rate for voice in VOICES if voice.id == job.voice)
        for number, word in enumerate(job.text.split()):
            if "fail" in word:
                raise EngineFailed("on purpose")
            if "bug" in word:
                raise ZeroDivisionError("secret")
            await asyncio.sleep(0)
            told = (Word(word, number / 10, (number + 1) / 10),) if job.voice == "v" else ()
            yield Audio(np.full(rate // 10, sum(word.encode()), np.int16), rate, told)
        self.made.put_nowait(job.index)


class Client:
    """The other end of a session that runs in a task."""

    def __init__(self, engine: Engine, kind: Callable[[Any, WebSocket], Session[Any]], **speech: Any) -> None:
        self._there: asyncio.Queue[Any] = asyncio.Queue()
        self._back: asyncio.Queue[Any] = asyncio.Queue()
        self._there.put_nowait({"type": "websocket.connect"})
        self.scheduler = Scheduler(engine, max_waiting=4)
        parts = Catalog(VOICES, "v"), self.scheduler
        self.runtime: Any = SimpleNamespace(
            settings=Settings.model_validate({"speech": speech}), require_speech=lambda: parts, loaded_speech=lambda: parts
        )
        self.reads = asyncio.Event()
        self.reads.set()
        self.entered = 0
        scope = {"type": "websocket", "fireside.request_id": "id", "query_string": b"", ENTER: self._enter}
        socket = WebSocket(scope, self._there.get, self._take)
        self.session = asyncio.create_task(kind(self.runtime, socket).run())

    @contextmanager
    def _enter(self) -> Iterator[None]:
        self.entered += 1
        yield

    async def _take(self, message: Any) -> None:
        await self.reads.wait()
        self._back.put_nowait(message)

    def send(self, frame: str | bytes) -> None:
        self._there.put_nowait({"type": "websocket.receive", "text" if isinstance(frame, str) else "bytes": frame})

    def tell(self, kind: str, **fields: Any) -> None:
        self.send(json.dumps({"type": kind, **fields}))

    def leave(self) -> None:
        self._there.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def event(self) -> dict[str, Any]:
        """The next text frame; audio is passed over."""
        while "text" not in (message := await self.message()):
            pass
        event: dict[str, Any] = json.loads(message["text"])
        return event

    async def until(self, kind: str) -> dict[str, Any]:
        while (event := await self.event())["type"] != kind:
            pass
        return event

    async def message(self) -> dict[str, Any]:
        while (message := await asyncio.wait_for(self._back.get(), 60))["type"] == "websocket.accept":
            pass
        found: dict[str, Any] = message
        return found
