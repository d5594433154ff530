"""An engine that dies again and again is left failed, is told of, and leaves the others serving: text, speech and listening alike."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.runtime import Runtime
from models.host import EngineHost, Restarts
from models.listening.engine import WorkerListeningEngine
from models.speech.engine import WorkerSpeechEngine
from models.text.mock import MockTextEngine
from settings import MockText, Settings
from tests.realtime import online
from tests.recordings import recording, tone

pytestmark = pytest.mark.anyio

ONCE = Restarts(limit=1, first_delay=0)


def runtime() -> Runtime:
    text = MockTextEngine("mock-text", (), MockText())
    voices = WorkerSpeechEngine("speech", "models.speech.mock:MockRenderer", {}, 30)
    ears = WorkerListeningEngine("listening", "models.listening.mock:MockListener", {}, 30)
    text_host, speech, listening = (EngineHost(engine, restarts=ONCE) for engine in (text, voices, ears))  # type: ignore[type-var]
    return Runtime(Settings(), text=text_host, speech=speech, listening=listening)  # type: ignore[arg-type]


@asynccontextmanager
async def client(served: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    await served.start()
    await asyncio.gather(*(host.wait_ready() for _, host in served.hosts()))
    async with online(create_app(served)) as url, httpx.AsyncClient(base_url=url.removesuffix("/v1"), timeout=30) as asking:
        yield asking
    await served.stop()


def kill(engine: Any) -> None:
    if isinstance(engine, MockTextEngine):
        engine.crash("killed")
    else:
        os.kill(engine.pid, signal.SIGKILL)


async def statuses(asking: httpx.AsyncClient) -> dict[str, int]:
    chat = {"model": "mock-text", "messages": [{"role": "user", "content": "Hello."}]}
    heard = {"data": {"model": "whisper-1"}, "files": {"file": recording("wav", tone(1.0))}}
    return {
        "text": (await asking.post("/v1/chat/completions", json=chat)).status_code,
        "speech": (await asking.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hello."})).status_code,
        "listening": (await asking.post("/v1/audio/transcriptions", **heard)).status_code,  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("which", ["text", "speech", "listening"])
async def test_the_others_go_on_when_one_is_left_failed(which: str) -> None:
    async with client(served := runtime()) as asking:
        host = dict(served.hosts())[which]
        for _ in range(2):
            kill(await host.wait_ready())
            while host.ready():
                await host._changed.wait()
            await host.settled()
        engines = (await asking.get("/v1/status")).json()["engines"]
        assert engines[which]["state"] == "failed"
        assert engines[which]["detail"].startswith("ended 2 times in a row, and never worked for 60 s, last: ")
        assert {kind for kind, engine in engines.items() if engine["state"] == "ready"} == engines.keys() - {which}
        assert await statuses(asking) == {kind: 503 if kind == which else 200 for kind in engines}
