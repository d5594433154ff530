"""Engines that hang are found, told and loaded again; engines at work are left alone. Mock engines, real workers, and what clients see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.base import ListeningJob, Load, SpeechJob, TextChunk, TextRequest
from models.errors import EngineDied, EngineFailed, Overloaded
from models.host import EngineHost, Restarts
from models.listening.engine import WorkerListeningEngine
from models.probe import watched
from models.speech.engine import WorkerSpeechEngine
from models.text.mock import MockTextEngine
from models.text.vllm import VllmEngine
from settings import Fault, MockText, Probe, Text
from tests.servers import serve
from tests.test_faults import speech_worker
from tests.test_listening_mock import tone

pytestmark = pytest.mark.anyio

SOON = Probe(interval=0.05, timeout=0.2)
HANGS = {"kind": "hang", "after": 0}


def text(**fault: Any) -> MockTextEngine:
    return MockTextEngine("mock-text", (), MockText(fault=Fault(**fault)))


def speech(**config: Any) -> WorkerSpeechEngine:
    return WorkerSpeechEngine("speech", "models.speech.mock:MockRenderer", config, 30)


def listening(**config: Any) -> WorkerListeningEngine:
    return WorkerListeningEngine("listening", "models.listening.mock:MockListener", config, 30)


class Fake:
    """Lives, hangs or fails as a test wants; `asked` counts the probes."""

    name = "fake"

    def __init__(self, *, hangs: bool = False, fails: Exception | None = None) -> None:
        self.hangs, self.fails = hangs, fails
        self.progress = 0
        self.asked = asyncio.Semaphore(0)
        self.killed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def probe(self) -> None:
        self.asked.release()
        if self.fails:
            raise self.fails
        if self.hangs:
            await asyncio.Event().wait()
        self.progress += 1

    async def kill(self, why: str) -> None:
        self.killed.set_result(why)

    def load(self) -> Load:
        return Load()


async def test_an_idle_engine_is_asked_again_and_again() -> None:
    async with watched(fake := Fake(), SOON):  # type: ignore[arg-type]
        for _ in range(3):
            await asyncio.wait_for(fake.asked.acquire(), 60)
        assert not fake.killed.done()


async def test_an_engine_at_work_is_not_asked() -> None:
    async with watched(fake := Fake(hangs=True), Probe(interval=0.2, timeout=0.2)):  # type: ignore[arg-type]
        for _ in range(30):
            fake.progress += 1
            await asyncio.sleep(0.02)
        assert fake.asked.locked()


async def test_progress_of_others_is_a_sign_of_life_while_the_probe_waits() -> None:
    async with watched(fake := Fake(hangs=True), SOON):  # type: ignore[arg-type]
        for _ in range(3):
            await asyncio.wait_for(fake.asked.acquire(), 60)
            fake.progress += 1
        assert not fake.killed.done()


async def test_one_that_gives_no_sign_is_killed_and_told_why() -> None:
    async with watched(fake := Fake(hangs=True), SOON) as watch:  # type: ignore[arg-type]
        assert not watch.killed
        assert await asyncio.wait_for(fake.killed, 60) == "fake hung: no sign of life for 0.2 s"
        assert watch.killed


async def test_a_refusal_by_vllms_front_is_no_sign_of_its_engine() -> None:
    class Full(VllmEngine):
        async def _generate(self, name: str, prepare: Any, priority: int = 0) -> AsyncGenerator[TextChunk, None]:
            raise Overloaded("the engine's queue is full")
            yield

        async def kill(self, why: str) -> None:
            killed.set()

    killed = asyncio.Event()
    async with watched(Full("m", Path, Text()), SOON):
        await asyncio.wait_for(killed.wait(), 60)


async def test_one_that_fails_lives(caplog: pytest.LogCaptureFixture) -> None:
    async with watched(fake := Fake(fails=EngineFailed("out of paper")), SOON):  # type: ignore[arg-type]
        for _ in range(2):
            await asyncio.wait_for(fake.asked.acquire(), 60)
        assert not fake.killed.done()
    assert "fails on the least it is asked for: out of paper" in caplog.text


async def test_without_an_interval_nobody_is_asked() -> None:
    async with watched(fake := Fake(hangs=True), Probe(interval=0)):  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        assert fake.asked.locked()


async def test_a_process_that_was_held_up_itself_does_not_blame_the_engine() -> None:
    async with watched(fake := Fake(hangs=True), Probe(interval=0.05, timeout=20)):  # type: ignore[arg-type]
        await fake.asked.acquire()
        real, loop = asyncio.get_running_loop().time, asyncio.get_running_loop()
        loop.time = lambda: real() + 100  # type: ignore[method-assign]  # all timers of the pause are due at once
        await asyncio.sleep(0.1)
        assert not fake.killed.done()
        loop.time = real  # type: ignore[method-assign]


async def test_a_probe_leaves_no_trace_in_the_mock() -> None:
    engine = text()
    engine.enqueue(["For the client."])
    await engine.start()
    await engine.probe()
    assert (engine.load(), len(engine.history), engine.progress) == (Load(), 0, 1)
    assert "".join([chunk.text async for chunk in engine.generate(TextRequest("1", prompt="Hello"))]) == "For the client."


@pytest.mark.parametrize("make", [speech, listening])
async def test_workers_answer_their_probes(make: Any) -> None:
    engine = make()
    await engine.start()
    await asyncio.wait_for(engine.probe(), 60)
    assert (engine.progress, engine.load()) == (0, Load())
    stream = await in_it(engine)
    await anext(stream)
    assert engine.progress > 0
    await stream.aclose()
    await engine.stop()


@contextlib.asynccontextmanager
async def hosted(engine: Any, *, restarts: Restarts | None = None) -> AsyncIterator[tuple[EngineHost[Any], asyncio.Queue[str]]]:
    told: asyncio.Queue[str] = asyncio.Queue()
    host = EngineHost(
        engine,
        probe=Probe(interval=0.1, timeout=1),
        restarts=restarts or Restarts(first_delay=0),
        on_change=lambda status: told.put_nowait(status.detail),
    )
    host.start()
    await host.wait_ready()
    try:
        yield host, told
    finally:
        await host.stop()


async def in_it(engine: Any) -> AsyncIterator[Any]:
    """What a client gets of a request that it has in the engine."""
    if isinstance(engine, MockTextEngine):
        return engine.generate(TextRequest("held", prompt="go on"))
    if isinstance(engine, WorkerSpeechEngine):
        return engine.synthesize(SpeechJob("held", 0, "Going on. " * 50, "mock-low"))
    return engine.transcribe(ListeningJob("held", tone(60)))


@pytest.mark.parametrize("make", [text, lambda **fault: speech(fault=fault), lambda **fault: listening(fault=fault)])
async def test_a_hang_of_any_engine_is_told_to_who_is_in_it_and_it_is_loaded_again(make: Any) -> None:
    async with hosted(make(**HANGS)) as (host, told):
        stream = await in_it(host.engine)
        with pytest.raises(EngineDied, match=r"hung: no sign of life for 1 s$"):
            [_ async for _ in stream]
        while "hung" not in (detail := await asyncio.wait_for(told.get(), 60)):
            pass
        assert detail.endswith("hung: no sign of life for 1 s; loading again in 0 s")
        await host.wait_ready()


@pytest.mark.parametrize("make", [speech, listening])
async def test_a_stopped_worker_is_found_and_replaced(make: Any) -> None:
    async with hosted(make(realtime_factor=1)) as (host, _):
        pid = host.engine.pid
        stream = await in_it(host.engine)
        await anext(stream)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineDied, match="hung"):
            [_ async for _ in stream]
        while not host.ready() or host.engine.pid == pid:
            await host._changed.wait()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_one_that_hangs_again_and_again_is_left_failed() -> None:
    async with hosted(text(**HANGS), restarts=Restarts(limit=1, first_delay=0)) as (host, _):
        while host.status.state != "failed":
            await asyncio.wait_for(host._changed.wait(), 60)
        assert host.status.detail.startswith("ended 2 times in a row, and never worked for 60 s, last: mock-text hung")


def test_a_stopped_worker_is_told_by_every_page_and_comes_back() -> None:
    probe = {"FIRESIDE_SPEECH__PROBE__INTERVAL": "0.2", "FIRESIDE_SPEECH__PROBE__TIMEOUT": "2"}
    load = {"FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR": "1", "FIRESIDE_SPEECH__MOCK__LOAD_SECONDS": "3"}
    with serve("mock", **probe, **load) as server:
        body = {"model": "tts-1", "input": "A sentence. " * 50, "response_format": "pcm", "stream_format": "sse"}
        with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=30) as answer:
            lines = answer.iter_lines()
            next(lines)
            speech_worker(server).send_signal(signal.SIGSTOP)
            last = [line for line in lines if line][-1]
        assert "speech hung: no sign of life for 2 s" in json.loads(last.removeprefix("data: "))["error"]["message"]
        server.wait("/readyz", 503, 60)
        failure = server.get("/v1/status").json()["engines"]["speech"]["last_failure"]
        assert "speech hung: no sign of life for 2 s" in failure["why"]
        refused = httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": "Hello."})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert server.get("/livez").status_code == 200
        server.wait("/readyz", 200, 30)
