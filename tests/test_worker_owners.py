"""No client ever gets another's audio: the tone of a voice tells whose it is."""

from __future__ import annotations

import asyncio
import contextlib
import random

import numpy as np
import pytest

from models.base import SpeechJob
from models.speech.engine import WorkerSpeechEngine
from models.speech.mock import MockRenderer, duration, frequency

pytestmark = pytest.mark.anyio

OWNERS = [f"owner-{number}" for number in range(12)]
RATE = 24000


def pitch(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * RATE))
    return float(np.argmax(spectrum)) / 4


async def listen(engine: WorkerSpeechEngine, owner: str, index: int, chance: random.Random) -> bool:
    """Speak one sentence in the owner's own voice, perhaps leave in the middle; whether all that came was the owner's."""
    text = "x" * chance.randint(2, 60)
    leave_after = chance.choice([0, 1, 3, None, None])
    heard = []
    async with contextlib.aclosing(engine.synthesize(SpeechJob(owner, index, text, owner))) as stream:
        async for audio in stream:
            heard.append(audio.samples)
            if len(heard) == leave_after:
                break
            await asyncio.sleep(0)
    samples = np.concatenate(heard)
    whole = leave_after is not None or len(samples) == int(duration(text) * RATE)
    return whole and abs(pitch(samples) - frequency(owner)) < 8


async def client(engine: WorkerSpeechEngine, owner: str) -> int:
    chance = random.Random(owner)
    return sum([await listen(engine, owner, index, chance) for index in range(30)])


async def test_hundreds_of_jobs_and_cancels_never_cross() -> None:
    assert len({frequency(owner) // 8 for owner in OWNERS}) == len(OWNERS)
    engine = WorkerSpeechEngine("mock", "models.speech.mock:MockRenderer", {"voices": OWNERS})
    await engine.start()
    right = await asyncio.gather(*(client(engine, owner) for owner in OWNERS))
    assert right == [30] * len(OWNERS)
    assert engine.load().running == 0
    await engine.stop()


def test_the_tones_tell_the_owners_apart() -> None:
    for owner in OWNERS:
        [first, *_] = MockRenderer({"voices": OWNERS}).render(SpeechJob(owner, 0, "Hello there.", owner), lambda: False)
        assert min(OWNERS, key=lambda other: abs(pitch(first.samples) - frequency(other))) == owner
