"""The listening engine and its worker process. The mock stands in for Whisper; the process is real."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.base import LISTENING_RATE, WINDOW, Heard, Language, ListeningJob, Segment
from models.errors import EngineDied, EngineFailed, NotReady
from models.listening.engine import WorkerListeningEngine
from models.listening.mock import MockListener

pytestmark = pytest.mark.anyio


def tone(seconds: float = 4.0, hertz: float = 300.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * LISTENING_RATE)) / LISTENING_RATE)).astype(np.float32)


def job(seconds: float = 4.0, **options: Any) -> ListeningJob:
    return ListeningJob("ann", tone(seconds), **options)


@contextlib.asynccontextmanager
async def listening(loads: str = "models.listening.mock:MockListener", **config: Any) -> AsyncIterator[WorkerListeningEngine]:
    engine = WorkerListeningEngine("listening", loads, config, start_timeout=60)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def heard(engine: WorkerListeningEngine, job: ListeningJob) -> list[Heard]:
    return [item async for item in engine.transcribe(job)]


async def text(engine: WorkerListeningEngine, job: ListeningJob) -> str:
    return "".join(item.text for item in await heard(engine, job) if isinstance(item, Segment))


async def test_it_hears_prose_as_long_as_the_audio_and_the_same_for_the_same() -> None:
    async with listening() as engine:
        assert engine.model == "mock-listening"
        first, again, other = [await text(engine, each) for each in (job(8), job(8), ListeningJob("bob", tone(8, 500)))]
    assert first == again != other
    assert len(first.split()) == 20
    assert engine.model == ""


async def test_scripted_replies_come_in_turn_with_their_words_and_times() -> None:
    async with listening(replies=["Hello there. How are you?", "Goodbye."]) as engine:
        language, first, second = await heard(engine, job(words=True))
        assert language == Language("en", 0.9)
        assert isinstance(first, Segment)
        assert isinstance(second, Segment)
        assert first.text + second.text == "Hello there. How are you?"
        assert [word.text for word in first.words] == ["Hello", "there."]
        assert 0 == first.words[0].start < first.words[0].end <= first.words[1].start < first.end == second.start < second.end == 4.0
        assert await text(engine, job()) == "Goodbye."


async def test_silence_has_no_text_and_takes_no_reply() -> None:
    async with listening(replies=["Hello."]) as engine:
        assert await text(engine, replace(job(), samples=np.zeros(16000, np.float32))) == ""
        assert await text(engine, job()) == "Hello."


async def test_audio_longer_than_one_frame_arrives_whole() -> None:
    long = job(40)
    expected = [item for item in MockListener({}).transcribe(long, lambda: False) if item]
    async with listening() as engine:
        assert await heard(engine, long) == expected


async def test_a_detector_says_of_each_window_whether_somebody_speaks() -> None:
    async with listening() as engine:
        detector = await engine.detector()
        samples = np.concatenate((np.zeros(3 * WINDOW, np.float32), tone(0.032 * 3)))
        probabilities = [one for start in range(0, len(samples), 100) for one in await detector.feed(samples[start : start + 100])]
        assert [probability > 0.5 for probability in probabilities] == [False] * 3 + [True] * 3
        await detector.close()
        await detector.close()


async def test_detectors_answer_while_every_transcriber_is_at_work() -> None:
    async with listening(realtime_factor=1000) as engine:
        streams = [engine.transcribe(each) for each in (job(), job(), job(urgent=True))]
        for stream in streams:
            assert isinstance(await anext(stream), Language)
        detector = await engine.detector()
        assert len(await detector.feed(tone(1.0))) == 31
        assert engine.load().running + engine.load().waiting == 3
        for stream in streams:
            await stream.aclose()


async def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next() -> None:
    async with listening() as engine:
        detector = await engine.detector()
        feeding = asyncio.create_task(detector.feed(tone(10 * 0.032)))
        await asyncio.sleep(0)
        feeding.cancel()
        assert len(await detector.feed(tone(2 * 0.032))) == 2


async def test_an_urgent_job_overtakes_files() -> None:
    async with listening(realtime_factor=1000) as engine:
        files = [engine.transcribe(job(60)) for _ in range(3)]
        for stream in files:
            await anext(stream)
        async with contextlib.aclosing(engine.transcribe(job(urgent=True))) as urgent:
            assert isinstance(await anext(urgent), Language)
        for stream in files:
            await stream.aclose()


async def test_closing_a_stream_frees_the_worker() -> None:
    async with listening(realtime_factor=1000) as engine:
        stream = engine.transcribe(job(60))
        await anext(stream)
        await stream.aclose()
        assert engine.load().running == 0
        async with contextlib.aclosing(engine.transcribe(job())) as other:
            assert isinstance(await anext(other), Language)


async def test_a_killed_worker_fails_all_that_is_in_it_and_hears_again_after_a_restart() -> None:
    async with listening(realtime_factor=1000) as engine:
        detector, stream = await engine.detector(), engine.transcribe(job())
        await anext(stream)
        os.kill(engine.pid or 0, signal.SIGKILL)
        with pytest.raises(EngineDied, match=r"^the listening worker was killed by SIGKILL$"):
            [_ async for _ in stream]
        for _ in range(2):
            with pytest.raises(EngineDied, match="listening worker"):
                await detector.feed(tone())
        with pytest.raises(NotReady, match="listening engine"):
            await heard(engine, job())
        await engine.start()
        assert len(await (await engine.detector()).feed(tone(0.032))) == 1


@pytest.mark.parametrize(("kind", "error"), [("before_first", EngineFailed), ("mid_stream", EngineFailed), ("crash", EngineDied)])
async def test_faults_meet_those_they_are_meant_for(kind: str, error: type[Exception]) -> None:
    async with listening(fault={"kind": kind, "after": 1, "match": "unlucky"}) as engine:
        assert await text(engine, job(prompt="lucky"))
        with pytest.raises(error):
            await heard(engine, job(prompt="unlucky"))


async def test_one_that_hangs_leaves_the_worker_to_others() -> None:
    async with listening(fault={"kind": "hang", "after": 0, "match": "unlucky"}) as engine:
        hanging = engine.transcribe(job(prompt="unlucky"))
        await anext(hanging)
        assert await text(engine, job())
        await hanging.aclose()


async def test_a_listener_that_fails_on_one_job_hears_the_next() -> None:
    async with listening("tests.listeners:Confused") as engine:
        with pytest.raises(EngineFailed, match=r"^the listening engine failed on this audio: ZeroDivisionError"):
            await heard(engine, job(prompt="fail"))
        assert await text(engine, job())
        with pytest.raises(EngineFailed, match=r"^the speech detector failed"):
            await (await engine.detector()).feed(tone())


async def test_one_that_takes_too_long_to_load_is_given_up() -> None:
    engine = WorkerListeningEngine("listening", "models.listening.mock:MockListener", {"load_seconds": 60}, start_timeout=0.1)
    with pytest.raises(EngineFailed, match=r"the listening engine .* raise listening\.start_timeout"):
        await engine.start()
    assert engine.pid is None


def test_the_mock_worker_imports_no_model_library() -> None:
    code = "import sys, models.listening.worker, models.listening.mock; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    assert not {"torch", "faster_whisper", "ctranslate2", "onnxruntime", "vllm", "TTS"} & set(run.stdout.split())
