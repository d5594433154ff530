"""The real voice through the worker, as the server uses it: what it says is heard with Whisper."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.base import Load, SpeechJob
from models.errors import EngineDied, WeightsError
from models.probe import watched
from models.speech.engine import WorkerSpeechEngine
from settings import Probe
from tests.engines.joe import joe
from tests.engines.whisper import transcribe, word_error_rate

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

SENTENCES = (
    "The fire had burned down to a bed of coals, and nobody wanted to go to bed.",
    "She opened the window, listened to the rain, and went back to her book.",
    "Tomorrow morning we will walk along the river until we reach the old bridge.",
)


def engine(*models: dict[str, Any]) -> WorkerSpeechEngine:
    config = {"models": models or ({"name": "joe", "path": str(joe()), "licence": "CC0-1.0"},), "device": "cpu", "threads": 1}
    return WorkerSpeechEngine("coqui", "models.speech.coqui:CoquiRenderer", config)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def coqui() -> AsyncIterator[WorkerSpeechEngine]:
    running = engine()
    await running.start()
    yield running
    await running.stop()


async def said(running: WorkerSpeechEngine, text: str, owner: str = "ann", **options: Any) -> np.ndarray:
    job = SpeechJob(owner, 0, text, "joe", **options)
    return np.concatenate([audio.samples async for audio in running.synthesize(job)])


async def test_whisper_hears_what_was_to_be_said(coqui: WorkerSpeechEngine) -> None:
    [voice] = coqui.voices()
    assert (voice.id, voice.language, voice.rate, voice.licence) == ("joe", "en-US", 22050, "CC0-1.0")
    audio = await asyncio.gather(*(said(coqui, text, owner, seed=1) for owner, text in enumerate(SENTENCES)))
    heard = " ".join([transcribe(samples, voice.rate) for samples in audio])
    assert word_error_rate(" ".join(SENTENCES), heard) <= 0.05


async def test_silence_around_a_sentence_is_short_and_nothing_is_lost(coqui: WorkerSpeechEngine) -> None:
    loud = np.flatnonzero(np.abs(await said(coqui, SENTENCES[0], seed=1)) > 330)
    samples = await said(coqui, SENTENCES[0], seed=1)
    assert loud[0] < 0.08 * 22050
    assert len(samples) - loud[-1] < 0.2 * 22050


async def test_a_text_without_words_is_a_short_silence(coqui: WorkerSpeechEngine) -> None:
    samples = await said(coqui, "🙂 ...")
    assert len(samples) == 2205
    assert not samples.any()


async def test_the_same_seed_is_the_same_audio_whatever_else_is_spoken(coqui: WorkerSpeechEngine) -> None:
    alone = await said(coqui, SENTENCES[1], seed=5)
    crowded, *_ = await asyncio.gather(said(coqui, SENTENCES[1], seed=5), *(said(coqui, text, text) for text in SENTENCES))
    assert np.array_equal(alone, crowded)


async def test_the_probe_is_quick_and_counts_for_nothing(coqui: WorkerSpeechEngine) -> None:
    before = coqui.progress
    await asyncio.wait_for(coqui.probe(), 20)
    assert (coqui.progress, coqui.load()) == (before, Load())


async def test_stopped_in_mid_sentence_it_is_found_and_speaks_again_after_a_restart(coqui: WorkerSpeechEngine) -> None:
    stream = coqui.synthesize(SpeechJob("ann", 0, " ".join(SENTENCES), "joe"))
    await anext(stream)
    os.kill(coqui.pid or 0, signal.SIGSTOP)
    async with watched(coqui, Probe(interval=0.5, timeout=2)):
        with pytest.raises(EngineDied, match=r"^coqui hung: no sign of life for 2 s$"):
            [_ async for _ in stream]
    await coqui.start()
    assert len(await said(coqui, "Here I am again."))


async def test_a_folder_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json"):
        await engine({"name": "broken", "path": str(tmp_path)}).start()
