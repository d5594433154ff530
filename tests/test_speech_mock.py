"""The mock voice: a tone that follows from the text, and the faults it makes on request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.base import SpeechJob
from models.errors import EngineDied, EngineFailed
from models.speech.engine import WorkerSpeechEngine
from models.speech.mock import MockRenderer

TEXT = "The fire is warm."


def tone(text: str = TEXT, speed: float = 1.0, **config: Any) -> np.ndarray:
    job = SpeechJob("ann", 0, text, "mock-low", speed)
    return np.concatenate([audio.samples for audio in MockRenderer(config).render(job, lambda: False)])


def test_the_same_text_is_the_same_tone() -> None:
    assert np.array_equal(tone(), tone())


def test_the_length_follows_from_the_text_and_the_speed() -> None:
    assert len(tone("x" * 100)) == 6 * 24000
    assert len(tone("x" * 100, speed=2)) == 3 * 24000


def test_it_fades_in_and_out_so_that_seams_do_not_click() -> None:
    assert abs(int(tone()[0])) < 50
    assert abs(int(tone()[-1])) < 50


def test_an_error_before_the_first_audio() -> None:
    with pytest.raises(EngineFailed, match="before the first"):
        tone(fault={"kind": "before_first"})


def test_an_error_after_so_many_windows() -> None:
    stream = MockRenderer({"fault": {"kind": "mid_stream", "after": 2}}).render(SpeechJob("ann", 0, TEXT, "mock-low"), lambda: False)
    assert [len(next(stream).samples) for _ in range(2)] == [2400, 2400]
    with pytest.raises(EngineFailed, match="mid-stream"):
        next(stream)


def test_only_the_matching_text_fails() -> None:
    fault = {"kind": "before_first", "match": "warm"}
    assert len(tone("The fire is cold.", fault=fault))
    with pytest.raises(EngineFailed):
        tone(TEXT, fault=fault)


@pytest.mark.anyio
async def test_a_crash_takes_the_worker_with_it() -> None:
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {"fault": {"kind": "crash", "after": 1}})
    await engine.start()
    with pytest.raises(EngineDied):
        [_ async for _ in engine.synthesize(SpeechJob("ann", 0, TEXT, "mock-low"))]
    await engine.stop()


@pytest.mark.anyio
async def test_a_job_that_hangs_leaves_the_others_their_turn_and_can_be_cancelled() -> None:
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {"fault": {"kind": "hang", "after": 1, "match": "hang"}})
    await engine.start()
    hung = engine.synthesize(SpeechJob("ann", 0, "This will hang.", "mock-low"))
    await anext(hung)
    assert [audio async for audio in engine.synthesize(SpeechJob("bob", 0, TEXT, "mock-low"))]
    await hung.aclose()
    assert engine.load().running == 0
    await engine.stop()


def test_the_worker_with_the_mock_imports_nothing_heavy() -> None:
    code = "import sys, models.speech.worker, models.speech.mock; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert not {"torch", "TTS", "vllm", "transformers", "asyncio", "pydantic"} & set(run.stdout.split())


def test_it_says_with_the_first_window_when_each_word_is_heard() -> None:
    job = SpeechJob("ann", 0, "one two", "mock-low")
    first, *later = MockRenderer({}).render(job, lambda: False)
    assert [(word.text, round(word.start, 2), round(word.end, 2)) for word in first.words] == [("one", 0.0, 0.18), ("two", 0.24, 0.42)]
    assert not any(audio.words for audio in later)


@pytest.mark.anyio
async def test_word_times_come_through_the_worker() -> None:
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {})
    await engine.start()
    try:
        made = [audio async for audio in engine.synthesize(SpeechJob("ann", 0, "one two", "mock-low"))]
    finally:
        await engine.stop()
    assert [word.text for audio in made for word in audio.words] == ["one", "two"]
