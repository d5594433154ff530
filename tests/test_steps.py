"""A thread that hangs while others of its worker go on. The engines are mocks that hang as a library would; the processes are real."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import TypeVar

import numpy as np
import pytest

from models.base import WINDOW, ListeningJob, Segment, SpeechJob
from models.engine import WorkerEngine
from models.errors import EngineDied
from models.listening.engine import WorkerListeningEngine
from models.speech.engine import WorkerSpeechEngine
from models.steps import Steps
from tests.test_listening_mock import tone

pytestmark = pytest.mark.anyio

Engine = TypeVar("Engine", bound=WorkerEngine)


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[Engine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def speech() -> WorkerSpeechEngine:
    return WorkerSpeechEngine("speech", "tests.renderers:Hanging", {}, 60, step_timeout=4)


def listening() -> WorkerListeningEngine:
    return WorkerListeningEngine("listening", "tests.listeners:Hanging", {}, 60, step_timeout=4)


def hung(worker: str) -> str:
    return rf"the {worker} worker hung: a step of its work took more than 4 s \({worker}\.step_timeout\)"


async def test_a_voice_that_hangs_amid_others_is_found_and_the_log_says_where(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(speech()) as engine, aclosing(engine.synthesize(SpeechJob("ann", 0, "hang", "mock-low"))) as hanging:
        await anext(hanging)
        assert [audio async for audio in engine.synthesize(SpeechJob("bob", 0, "Hello.", "mock-low"))]
        with pytest.raises(EngineDied, match=hung("speech")):
            while True:
                await anext(hanging)
        assert "hung" in await engine.died()
    assert "renderers.py" in caplog.text


async def test_an_ear_that_hangs_amid_others_is_found() -> None:
    recording = ListeningJob("ann", tone(), prompt="hang")
    async with running(listening()) as engine, aclosing(engine.transcribe(recording)) as hanging:
        await anext(hanging)
        turn = [heard async for heard in engine.transcribe(ListeningJob("bob", tone(), urgent=True))]
        assert isinstance(turn[-1], Segment)
        with pytest.raises(EngineDied, match=hung("listening")):
            while True:
                await anext(hanging)


async def test_a_detector_that_hangs_is_found() -> None:
    async with running(listening()) as engine:
        detector = await engine.detector()
        feeding = asyncio.create_task(detector.feed(np.zeros(WINDOW, np.float32)))
        assert [heard async for heard in engine.transcribe(ListeningJob("bob", tone()))]
        with pytest.raises(EngineDied, match=hung("listening")):
            await feeding


async def test_an_ear_that_hears_nothing_for_long_does_not_hang() -> None:
    recording = ListeningJob("ann", tone(), prompt="quiet")
    async with running(listening()) as engine:
        heard = [heard async for heard in engine.transcribe(recording)]
    assert isinstance(heard[-1], Segment)


def test_many_steps_are_no_hang_and_one_that_does_not_end_is() -> None:
    steps = Steps(10)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) in {40, 59, 78, 97}:
            step.close()
            step.enter_context(steps.taking())

    with ExitStack() as step:
        steps.watch(wait)
    assert waits == [0.5] * (97 + 20)


def test_a_rest_is_told_once_and_only_after_work() -> None:
    steps = Steps(10)
    assert not steps.rested()
    with steps.taking():
        assert not steps.rested()
        assert not steps.rested()
    with steps.taking():
        pass
    assert [steps.rested() for _ in range(4)] == [False, True, False, False]
