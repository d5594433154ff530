"""Whisper and silero behind their worker process, and behind the routes, on the joe voice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
import soxr
from openai import OpenAI

from models.base import LISTENING_RATE, Heard, Language, ListeningJob, Segment
from models.errors import EngineDied
from models.listening.engine import WorkerListeningEngine
from models.listening.whisper import WhisperListener
from tests.engines.test_spoken import recorded
from tests.engines.whisper import compare, whisper_folder
from tests.recordings import FORMATS, recording
from tests.servers import Server, serve
from voice.activity import Activity, Dismissed, Paused, Resumed, Started, Stopped, Suspected, TurnDetector

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

SENTENCES = (
    "The river was quiet in the morning, and nobody was on the bridge.",
    "Could you tell me what time the next train leaves?",
    "Yes, please.",
)
OPTIONS = {"name": "whisper-base", "device": "cpu", "compute_type": "int8", "threads": 2, "beam_size": 5}


@pytest.fixture(scope="module")
def spoken() -> list[np.ndarray]:
    return [soxr.resample(samples / np.float32(32768), 22050, LISTENING_RATE) for samples in asyncio.run(recorded(list(SENTENCES), 1))]


@contextlib.asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[WorkerListeningEngine]:
    config = {**OPTIONS, "path": str(whisper_folder()), **options}
    engine = WorkerListeningEngine("listening", "models.listening.whisper:WhisperListener", config)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def heard(engine: WorkerListeningEngine, samples: np.ndarray, **options: Any) -> tuple[Language, list[Segment]]:
    items: list[Heard] = [item async for item in engine.transcribe(ListeningJob("me", samples, **options))]
    assert isinstance(items[0], Language)
    return items[0], [item for item in items[1:] if isinstance(item, Segment)]


def text(segments: list[Segment]) -> str:
    return "".join(segment.text for segment in segments)


async def test_turns_and_recordings_are_written_down_as_they_were_spoken(spoken: list[np.ndarray]) -> None:
    async with listening() as engine:
        for urgent in (True, False):
            for sentence, samples in zip(SENTENCES, spoken, strict=True):
                language, segments = await heard(engine, samples, urgent=urgent)
                assert compare([[sentence]], text(segments)).errors == 0
                assert language.code == "en"
                assert 0 <= segments[0].start < segments[-1].end <= len(samples) / LISTENING_RATE + 0.05


async def test_a_turn_begins_where_the_language_is_known_and_words_have_their_times(spoken: list[np.ndarray]) -> None:
    async with listening() as engine:
        language, segments = await heard(engine, spoken[0], language="en-GB", words=True)
        assert language == Language("en", 1.0)
        words = [word for segment in segments for word in segment.words]
        assert [word.text.strip(".,") for word in words[:4]] == ["The", "river", "was", "quiet"]
        assert all(word.start < word.end for word in words)
        assert [word.start for word in words] == sorted(word.start for word in words)


@pytest.mark.parametrize("urgent", [True, False])
async def test_silence_and_noise_are_no_text(urgent: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * LISTENING_RATE).astype(np.float32)
    async with listening() as engine:
        for samples in (np.zeros(0, np.float32), np.zeros(160, np.float32), np.zeros(3 * LISTENING_RATE, np.float32), noise):
            assert text((await heard(engine, samples, urgent=urgent))[1]) == ""


async def test_a_turn_that_repeats_its_words_is_no_endless_one(spoken: list[np.ndarray]) -> None:
    three = np.concatenate([spoken[2]] * 3)
    async with listening() as engine:
        _, segments = await heard(engine, three, urgent=True, language="en")
        assert 3 <= text(segments).lower().count("yes") <= 5  # on some processors Whisper hears one more


async def test_half_a_sentence_is_not_heard_over_and_over(spoken: list[np.ndarray]) -> None:
    [half] = await recorded(["I went to the shop and"], 1)
    async with listening() as engine:
        _, segments = await heard(engine, soxr.resample(half / np.float32(32768), 22050, LISTENING_RATE), urgent=True, language="en")
        assert text(segments).count("shop") == 1


def test_a_turn_that_nobody_understands_is_read_three_times_at_most(spoken: list[np.ndarray]) -> None:
    listener = WhisperListener({**OPTIONS, "path": str(whisper_folder())})
    read = _Counting(listener._whisper.model)
    listener._whisper.model = read
    backwards = np.concatenate(spoken * 6)[: 25 * LISTENING_RATE][::-1]
    babble = [np.concatenate([backwards[at:], backwards[:at]]) for at in range(0, 24000, 8000)]
    times = []
    for samples in (*babble, np.tile(spoken[2][:6400], 62)):
        read.times = 0
        list(listener.transcribe(ListeningJob("me", np.ascontiguousarray(samples, np.float32), urgent=True), lambda: False))
        times.append(read.times)
    assert 1 < max(times) <= 3, times  # which of them it takes for words differs by the processor


def test_a_recording_that_is_cancelled_ends_before_its_next_window(spoken: list[np.ndarray]) -> None:
    listener = WhisperListener({**OPTIONS, "path": str(whisper_folder())})
    windows = []

    def cancelled() -> bool:
        windows.append(len(windows))
        return len(windows) > 2

    *_, last = listener.transcribe(ListeningJob("me", np.concatenate(spoken * 12), language="en"), cancelled)
    assert windows == [0, 1, 2]
    assert isinstance(last, Segment)
    assert 30 < last.end <= 60


class _Counting:
    """Of CTranslate2's model, whose methods cannot be replaced."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.times = 0

    def generate(self, *args: Any, **options: Any) -> Any:
        self.times += 1
        return self._model.generate(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


async def test_a_killed_worker_ends_its_job_and_listens_again(spoken: list[np.ndarray]) -> None:
    async with listening() as engine:
        stream = engine.transcribe(ListeningJob("me", np.concatenate(spoken * 20)))
        await anext(stream)
        os.kill(engine.pid or 0, signal.SIGKILL)
        with pytest.raises(EngineDied, match=r"^the listening worker was killed by SIGKILL$"):
            [_ async for _ in stream]
        await engine.start()
        assert text((await heard(engine, spoken[2], urgent=True))[1]).strip()


async def turns(engine: WorkerListeningEngine, samples: np.ndarray) -> list[Activity]:
    detector, found = TurnDetector(), []
    hearing = await engine.detector()
    for start in range(0, len(samples), 320):
        for probability in await hearing.feed(samples[start : start + 320].astype(np.float32)):
            found += detector.feed(probability)
    await hearing.close()
    return found


async def test_turns_begin_and_end_where_the_speech_does(spoken: list[np.ndarray]) -> None:
    quiet = np.zeros(int(1.3 * LISTENING_RATE), np.float32)
    parts, expected, at = [quiet], [], len(quiet)
    for samples in spoken:
        loud = np.flatnonzero(np.abs(samples) > 0.003 * np.abs(samples).max())  # -50 dB: fricatives fade
        expected += [(at + loud[0]) / LISTENING_RATE, (at + loud[-1]) / LISTENING_RATE]
        parts += [samples, quiet]
        at += len(samples) + len(quiet)
    # A room is heard behind the speech, too: where it sets in at the end of a sentence, it passes for a consonant.
    audio = np.concatenate(parts) + np.random.default_rng(0).normal(0, 0.0005, at)
    async with listening() as engine:
        found = [event for event in await turns(engine, audio) if isinstance(event, Started | Stopped)]
    assert [type(event) for event in found] == [Started, Stopped] * 3
    late = [event.at - at for event, at in zip(found, expected, strict=True)]
    assert max(map(abs, late)) <= 0.1, late


def _sounds() -> Iterator[tuple[str, np.ndarray]]:
    chance, at = np.random.default_rng(0), np.arange(4 * LISTENING_RATE) / LISTENING_RATE
    for level in (0.003, 0.03, 0.2):
        yield f"noise {level}", chance.normal(0, level, len(at))
    yield "tone", 0.3 * np.sin(2 * np.pi * 440 * at)
    yield "hum", 0.2 * sum(np.sin(2 * np.pi * 50 * part * at) / part for part in range(1, 8))
    roots = np.array([261.6, 220.0, 174.6, 196.0])[at.astype(int)]
    yield "chords", 0.1 * sum(np.sin(2 * np.pi * np.cumsum(roots * ratio) / LISTENING_RATE) for ratio in (1, 1.26, 1.5))
    yield (
        "beat",
        chance.normal(0, 0.3, len(at)) * np.exp(-30 * (at * 4 % 1)) + 0.4 * np.sin(2 * np.pi * 60 * at) * np.exp(-10 * (at * 2 % 1)),
    )
    clicks = np.zeros(len(at))
    clicks[:: LISTENING_RATE // 3] = 0.9
    yield "clicks", clicks


def _melody(seed: int) -> np.ndarray:
    """Plucked strings, the overtones of which die away before them: of all melodies that we made, the ones most like speech."""
    chance, at = np.random.default_rng(seed), np.arange(int(0.9 * LISTENING_RATE)) / LISTENING_RATE
    root, steps = chance.choice([110, 147, 165, 196, 220, 262, 330]), np.array([0, 2, 4, 5, 7, 9, 11, 12])
    melody, begin = np.zeros(5 * LISTENING_RATE), 0
    while begin < 4 * LISTENING_RATE:
        length, hertz = chance.choice([0.15, 0.25, 0.3, 0.5]), root * 2 ** (chance.choice(steps) / 12)
        note = sum(
            np.sin(2 * np.pi * hertz * part * at + chance.uniform(0, 6)) / part**1.5 * np.exp(-3 * part * at) for part in range(1, 7)
        )
        melody[begin : begin + len(at)] += chance.uniform(0.4, 1) * note * (1 - np.exp(-200 * at))
        begin += int(length * LISTENING_RATE)
    return 0.3 * melody / np.abs(melody).max() + chance.normal(0, 0.0005, len(melody))


async def test_a_melody_hardly_ever_begins_a_turn() -> None:
    """docs/listening.md: one note in hundreds is as much like speech as speech is."""
    async with listening() as engine:
        found = [event for seed in range(30) for event in await turns(engine, _melody(seed))]
    assert sum(isinstance(event, Suspected) for event in found) > 10
    assert sum(isinstance(event, Started) for event in found) <= 2


async def test_what_is_no_speech_begins_no_turn() -> None:
    async with listening() as engine:
        found = {name: await turns(engine, samples) for name, samples in _sounds()}
    assert {name: events for name, events in found.items() if any(isinstance(event, Started) for event in events)} == {}
    quiet = Suspected | Dismissed | Paused | Resumed
    assert all(isinstance(event, quiet) for events in found.values() for event in events)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("cpu", ready_within=120, FIRESIDE_TEXT__ENGINE="none", FIRESIDE_SPEECH__ENGINE="none") as running:
        yield running


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_transcribed(server: Server, spoken: list[np.ndarray], ending: str) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    content = recording(ending, soxr.resample(spoken[0], LISTENING_RATE, 48000))
    told = client.audio.transcriptions.create(
        model="whisper-1", file=(f"a.{ending}", content), response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert compare([[SENTENCES[0]]], told.text).errors == 0
    assert (told.language, told.duration) == ("english", pytest.approx(len(spoken[0]) / LISTENING_RATE, abs=0.1))
    assert told.words
    assert told.words[-1].end <= told.duration


def test_a_long_recording_is_streamed_in_pieces(server: Server, spoken: list[np.ndarray]) -> None:
    pause = np.zeros(LISTENING_RATE, np.float32)
    content = recording("mp3", np.concatenate([part for samples in spoken * 3 for part in (samples, pause)]), LISTENING_RATE)
    client = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    *deltas, done = client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", content), language="en", stream=True)
    assert len(deltas) > 3
    assert "".join(event.delta for event in deltas) == done.text  # type: ignore[union-attr]
    assert compare([[sentence] for sentence in SENTENCES * 3], done.text).errors <= 1  # type: ignore[union-attr]
