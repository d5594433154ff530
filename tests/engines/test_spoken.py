"""Fifty written sentences through splitter, normaliser and the joe voice, heard with Whisper: what is said is what a person would say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np
import pytest

from models.base import Voice
from models.speech.engine import WorkerSpeechEngine
from tests.engines.joe import joe
from tests.engines.whisper import Heard, hear
from tests.tables import table
from voice.schedule import Scheduler
from voice.speak import SentenceAudio, speak

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

SUBJECTS = table("spoken")
SEED = 1
AT_MOST = 0.04
PAUSE = np.zeros(22050 // 2, np.int16)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.timeout(900)
async def test_at_most_four_words_in_a_hundred_are_heard_otherwise() -> None:
    assert sum(map(len, SUBJECTS.values())) == 50
    heard = await listen(SEED)
    report = f"word error rate {rate(heard):.2%}\n" + "\n".join(map(str, sorted(heard, key=lambda one: one.errors, reverse=True)))
    print(report)
    assert rate(heard) <= AT_MOST, report


def rate(heard: Iterable[Heard]) -> float:
    return sum(one.errors for one in heard) / sum(one.words for one in heard)


async def listen(seed: int) -> list[Heard]:
    """The sentences of each subject, spoken one by one and heard in one go, with a pause between them."""
    audio = iter(await recorded([written for sentences in SUBJECTS.values() for written in sentences], seed))
    return [
        hear(np.concatenate([part for _ in sentences for part in (next(audio), PAUSE)]), 22050, references(sentences))
        for sentences in SUBJECTS.values()
    ]


def references(sentences: dict[str, str | list[str]]) -> list[list[str]]:
    return [[written, *([said] if isinstance(said, str) else said)] for written, said in sentences.items()]


async def recorded(texts: list[str], seed: int) -> list[np.ndarray]:
    config = {"models": [{"name": "joe", "path": str(joe()), "licence": "CC0-1.0"}], "device": "cpu", "threads": 1}
    engine = WorkerSpeechEngine("coqui", "models.speech.coqui:CoquiRenderer", config)
    await engine.start()
    try:
        scheduler, [voice] = Scheduler(engine, len(texts)), engine.voices()
        return await asyncio.gather(*(_spoken(text, scheduler, voice, seed) for text in texts))
    finally:
        await engine.stop()


async def _spoken(text: str, scheduler: Scheduler, voice: Voice, seed: int) -> np.ndarray:
    events = [event async for event in speak(text, owner=text, voice=voice, scheduler=scheduler, seed=seed)]
    return np.concatenate([event.audio.samples for event in events if isinstance(event, SentenceAudio)])
