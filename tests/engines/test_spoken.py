"""Fifty written sentences through splitter, normaliser and the joe voice, heard with Whisper: what is said is what a person would say."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from models.base import Voice
from models.speech.engine import WorkerSpeechEngine
from tests.engines.joe import joe
from tests.engines.whisper import transcribe, word_errors
from tests.tables import table
from voice.schedule import Scheduler
from voice.speak import SentenceAudio, speak

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

SPOKEN = {written: said for sentences in table("spoken").values() for written, said in sentences.items()}
SEED = 1
AT_MOST = 0.04
WORST = 10


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.timeout(400)
async def test_at_most_four_words_in_a_hundred_are_heard_otherwise() -> None:
    assert len(SPOKEN) == 50
    recordings = await recorded(list(SPOKEN), SEED)
    heard = [transcribe(samples, rate) for samples, rate in recordings]
    counts = [word_errors((written, said), text) for (written, said), text in zip(SPOKEN.items(), heard, strict=True)]
    worst = sorted(zip(counts, SPOKEN, heard, strict=True), reverse=True)[:WORST]
    rate = sum(errors for errors, _ in counts) / sum(words for _, words in counts)
    lines = [f"{errors} of {words}: {text!r} heard as {ear!r}" for (errors, words), text, ear in worst]
    report = "\n".join([f"word error rate {rate:.2%}", *lines])
    print(report)
    assert rate <= AT_MOST, report


async def recorded(texts: list[str], seed: int) -> list[tuple[np.ndarray, int]]:
    config = {"models": [{"name": "joe", "path": str(joe()), "licence": "CC0-1.0"}], "device": "cpu", "threads": 1}
    engine = WorkerSpeechEngine("coqui", "models.speech.coqui:CoquiRenderer", config)
    await engine.start()
    try:
        scheduler, [voice] = Scheduler(engine, len(texts)), engine.voices()
        return await asyncio.gather(*(_spoken(text, scheduler, voice, seed) for text in texts))
    finally:
        await engine.stop()


async def _spoken(text: str, scheduler: Scheduler, voice: Voice, seed: int) -> tuple[np.ndarray, int]:
    events = [event async for event in speak(text, owner=text, voice=voice, scheduler=scheduler, seed=seed)]
    return np.concatenate([event.audio.samples for event in events if isinstance(event, SentenceAudio)]), voice.rate
