"""The worker process and the engine over it, as the scheduler sees them. The mock stands in for the voice; the process is real."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from models.base import Audio, SpeechJob
from models.errors import EngineDied, EngineFailed, NotReady, UnknownVoice, WeightsError
from models.process import Kind, WorkerProcess
from models.speech.engine import WorkerSpeechEngine
from models.speech.mock import MockRenderer

pytestmark = pytest.mark.anyio

LONG = "A long sentence that goes on and on. " * 40
PARENT = """
import asyncio, sys
from models.speech.engine import WorkerSpeechEngine
async def main():
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {})
    await engine.start()
    print(engine.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def speech(renderer: str = "models.speech.mock:MockRenderer", **config: Any) -> AsyncIterator[WorkerSpeechEngine]:
    engine = WorkerSpeechEngine("mock", renderer, config, start_timeout=60)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def job(text: str = "Hello there.", voice: str = "mock-low", owner: str = "ann", index: int = 0) -> SpeechJob:
    return SpeechJob(owner, index, text, voice)


async def said(engine: WorkerSpeechEngine, job: SpeechJob) -> list[Audio]:
    return [audio async for audio in engine.synthesize(job)]


async def test_it_names_its_voices_and_its_device_once_it_is_ready() -> None:
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {})
    assert engine.voices() == ()
    await engine.start()
    assert [voice.id for voice in engine.voices()] == ["mock-low", "mock-high"]
    assert engine.device == "mock"
    await engine.stop()
    assert engine.voices() == ()


@pytest.mark.parametrize("turn", range(3))
def test_a_job_for_a_worker_whose_end_is_not_known_yet_dies_with_it(turn: int) -> None:
    """On uvloop, as the server is: its transports raise where asyncio's are silent."""

    async def main() -> None:
        worker = await WorkerProcess.start(Kind("speech", "models.speech.worker"), "models.speech.mock:MockRenderer", {}, 60)
        os.kill(worker.pid, signal.SIGKILL)
        while worker.alive:
            with contextlib.suppress(EngineDied), contextlib.closing(worker.begin()) as exchange:
                exchange.send("synthesize", text="Hello.")
                await exchange.sent()
            await asyncio.sleep(0)
        assert "SIGKILL" in await worker.died()

    uvloop.run(main())


async def test_a_killed_worker_fails_its_jobs_and_speaks_again_after_a_restart() -> None:
    async with speech(realtime_factor=0.5) as engine:
        stream = engine.synthesize(job(LONG))
        await anext(stream)
        os.kill(engine.pid or 0, signal.SIGKILL)
        with pytest.raises(EngineDied, match="SIGKILL"):
            [_ async for _ in stream]
        assert "SIGKILL" in await engine.died()
        with pytest.raises(NotReady):
            await said(engine, job())
        await engine.start()
        assert await said(engine, job())


async def test_the_last_words_of_a_worker_are_in_the_log_and_not_in_the_error(caplog: pytest.LogCaptureFixture) -> None:
    async with speech("tests.renderers:Confessing") as engine:
        with pytest.raises(EngineDied, match=r"^the speech worker exited with code 3$"):
            await said(engine, job())
        assert "exited with code 3; its last lines:\n  the disk is on fire" in caplog.text


async def test_a_worker_that_never_ends_its_line_speaks_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with speech("tests.renderers:Progressing") as engine:
        for text in ("first", "second", "last"):
            assert await said(engine, job(text))
    assert "100 %\n" in caplog.text
    assert "50 %" not in caplog.text


async def test_a_stopped_engine_tells_those_in_it_why() -> None:
    async with speech(realtime_factor=0.5) as engine:
        stream = engine.synthesize(job(LONG))
        await anext(stream)
        await engine.stop()
        with pytest.raises(EngineDied, match="shutting down"):
            [_ async for _ in stream]


async def test_its_configuration_is_found_at_each_start() -> None:
    found = iter([{"voices": ["ann"]}, {"voices": ["bob"]}])
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", lambda: next(found))
    for name in ("ann", "bob"):
        await engine.start()
        assert [voice.id for voice in engine.voices()] == [name]
    await engine.stop()


async def test_a_worker_reaches_no_hub_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    async with speech() as engine:
        environment = await asyncio.to_thread(Path(f"/proc/{engine.pid}/environ").read_bytes)
        assert b"HF_HUB_OFFLINE=1" in environment.split(b"\0")


async def test_closing_a_stream_stops_the_work_within_a_window() -> None:
    async with speech("tests.renderers:Counting") as engine:
        stream = engine.synthesize(job(LONG))
        await anext(stream)
        await stream.aclose()
        turns = (await said(engine, job("count")))[0]
        assert turns.samples[0] < turns.samples[1]  # windows made of it, windows it would have had
        assert engine.load().running == 0


async def test_a_sentence_that_fails_does_not_disturb_the_next() -> None:
    async with speech("tests.renderers:Confused") as engine:
        with pytest.raises(EngineFailed, match="ZeroDivisionError"):
            await said(engine, job("fail"))
        assert await said(engine, job())


async def test_an_unknown_voice_is_refused_by_name() -> None:
    async with speech() as engine:
        with pytest.raises(UnknownVoice, match="mock-low, mock-high"):
            await said(engine, job(voice="nobody"))


async def test_a_renderer_that_cannot_load_says_why() -> None:
    with pytest.raises(WeightsError, match="no weights at /nowhere"):
        await WorkerSpeechEngine("x", "tests.renderers:Weightless", {}).start()


async def test_a_worker_that_takes_too_long_is_given_up_and_ended() -> None:
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {"load_seconds": 60}, start_timeout=0.1)
    with pytest.raises(EngineFailed, match=r"speech\.start_timeout"):
        await engine.start()
    assert engine.pid is None


async def test_a_long_sentence_does_not_hold_up_another_client() -> None:
    async with speech(realtime_factor=0.05) as engine:
        long = engine.synthesize(job(LONG, owner="ann"))
        await anext(long)
        assert await said(engine, job("Hi.", owner="bob"))
        assert engine.load().running == 1  # ann's is still being made
        await long.aclose()


async def test_sentences_are_made_in_the_order_in_which_they_are_played() -> None:
    done: list[int] = []
    now = time.monotonic()

    async def speak(engine: WorkerSpeechEngine, index: int) -> None:
        await said(engine, replace(job("Twelve words.", index=index), plays_at=now + 10 * index))
        done.append(index)

    async with speech(realtime_factor=0.05) as engine, asyncio.TaskGroup() as tasks:
        for index in (2, 0, 3, 1):
            tasks.create_task(speak(engine, index))
    assert done == [0, 1, 2, 3]


async def test_a_consumer_that_pauses_gets_everything_and_holds_up_nobody() -> None:
    async with speech() as engine:
        slow = engine.synthesize(job(LONG, owner="ann"))
        first = await anext(slow)
        assert await said(engine, job(owner="bob"))
        rest = [audio async for audio in slow]
        expected = sum(len(audio.samples) for audio in MockRenderer({}).render(job(LONG), lambda: False))
        assert len(first.samples) + sum(len(audio.samples) for audio in rest) == expected


async def test_sigterm_and_sigint_leave_it_working_so_that_the_server_can_drain() -> None:
    async with speech(realtime_factor=0.05) as engine:
        stream = engine.synthesize(job(LONG[:200]))
        await anext(stream)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(engine.pid or 0, number)
        assert len([audio async for audio in stream]) > 10


async def test_a_stopped_engine_has_not_died() -> None:
    async with speech() as engine:
        waiting = asyncio.create_task(engine.died())
        await asyncio.sleep(0)
        await engine.stop()
        await engine.stop()
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        waiting.cancel()


def test_a_worker_does_not_outlive_its_server() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([worker], [], [], 30)
    os.close(worker)
    assert ended
