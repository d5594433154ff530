"""What the mock engine cannot show of /ws: a session in this process, over an engine of the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.websockets import WebSocket

from api.socket import TextSession
from models.base import Audio, SpeechJob, Voice
from settings import Settings
from voice.catalog import Catalog
from voice.schedule import Scheduler

pytestmark = pytest.mark.anyio


class Engine:
    """A moment of audio for a sentence, a bug for one that says bug, and nothing at all for one that says wait."""

    concurrency = 2

    def __init__(self) -> None:
        self.jobs: list[SpeechJob] = []
        self.begun = asyncio.Event()

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        self.jobs.append(job)
        self.begun.set()
        if "bug" in job.text:
            raise ZeroDivisionError("secret")
        if "wait" in job.text:
            await asyncio.Event().wait()
        yield Audio(np.ones(2400, np.int16), 24000)


class Client:
    """The other end of a session that runs in a task."""

    def __init__(self, engine: Engine) -> None:
        self._there: asyncio.Queue[Any] = asyncio.Queue()
        self._back: asyncio.Queue[Any] = asyncio.Queue()
        self._there.put_nowait({"type": "websocket.connect"})
        parts = Catalog((Voice("v", "m", "en", 24000),), "v"), Scheduler(engine, max_waiting=4)
        self._runtime: Any = SimpleNamespace(settings=Settings(), require_speech=lambda: parts)
        self._socket = WebSocket({"type": "websocket", "fireside.request_id": "id"}, self._there.get, self._back.put)
        self.session = asyncio.create_task(TextSession(self._runtime, self._socket).run())

    def send(self, text: str) -> None:
        self._there.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._there.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def event(self) -> dict[str, Any]:
        """The next text frame; audio is passed over."""
        while "text" not in (message := await self.message()):
            pass
        event: dict[str, Any] = json.loads(message["text"])
        return event

    async def message(self) -> dict[str, Any]:
        while (message := await asyncio.wait_for(self._back.get(), 10))["type"] == "websocket.accept":
            pass
        found: dict[str, Any] = message
        return found


async def test_a_seed_reaches_the_engine() -> None:
    client = Client(engine := Engine())
    client.send('{"type": "config", "seed": 7, "events": true}')
    client.send("Hello.")
    while (await client.event())["type"] != "done":
        pass
    client.leave()
    await client.session
    assert [job.seed for job in engine.jobs] == [7]


async def test_nothing_is_left_of_a_session_that_has_ended() -> None:
    before = asyncio.all_tasks()
    client = Client(engine := Engine())
    client.send("Please wait. And wait.")
    client.send("Or wait.")
    await engine.begun.wait()
    client.leave()
    await client.session
    assert asyncio.all_tasks() == before


async def test_a_bug_is_told_and_the_socket_closed() -> None:
    client = Client(Engine())
    client.send("A bug.")
    error = (await client.event())["error"]
    assert (error["code"], "secret" in error["message"]) == ("internal_error", False)
    closed = await client.message()
    assert (closed["type"], closed["code"]) == ("websocket.close", 1011)
    await client.session
