"""How the real voice sounds from end to end: seams without clicks, pauses, level, and every format as ffmpeg hears it."""

from __future__ import annotations

import io
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
import soxr

from models.speech.engine import WorkerSpeechEngine
from tests.engines.joe import joe
from tests.sound import Signal, decibels, decoded, delay, encoded, longest_silence, loudness, rms
from voice.encode import FORMATS, Encoder, Format
from voice.schedule import Scheduler
from voice.speak import SentenceAudio, SentenceStarted, pause_after, speak

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

RATE = 22050
FADE = 66
QUIET = 0.01
"""-40 dB of full scale, 18 dB below joe's vowels: what sounds like a pause."""
FIVE = "She sells sea shells. Stop! Science, first of all, is a way of thinking: is it not? Ships passed... Second thoughts are often best."
THIRTY = """# The harbour

Yes. The lighthouse keeper climbed the narrow stairs every evening, and when he reached the lamp he counted the boats at sea. Stop!
Who goes there? Nobody answered him. He waited... Then he laughed at himself: it was only the wind. "Well," he said, "I suppose so."

Science is a way of thinking much more than it is a body of knowledge. Is it possible that nobody noticed? Of course. My name is Joe.
It costs twenty five dollars and ninety nine cents. Please call me back when you can. Thank you very much. What do you mean by that?

You should bring:
- a warm coat
- six sharp sticks
- apples, pears, plums, and cherries

The committee, which met on Tuesday, could not agree; therefore, the question remains open. Ships passed. Half of it was gone.
Oh no, not again! Tomorrow morning we will walk along the river until we reach the old bridge.
She opened the window, listened to the rain, and went back to her book.
The fire had burned down to a bed of coals, and nobody wanted to go to bed. He said that he would be back by noon, but nobody believed him.
Listen carefully to the following instructions. Everything is fine. Ask Alice about the apples. Go. Good night."""


@dataclass
class Sentence:
    """`pause` is in samples, `samples` the audio after it."""

    text: str
    pause: int
    samples: np.ndarray


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def coqui() -> AsyncIterator[WorkerSpeechEngine]:
    config = {"models": ({"name": "joe", "path": str(joe()), "licence": "CC0-1.0"},), "device": "cpu", "threads": 1}
    running = WorkerSpeechEngine("coqui", "models.speech.coqui:CoquiRenderer", config)
    await running.start()
    yield running
    await running.stop()


async def said(engine: WorkerSpeechEngine, text: str, seed: int = 1, **options: object) -> list[Sentence]:
    [voice] = engine.voices()
    sentences: list[Sentence] = []
    async for event in speak(text, owner="ann", voice=voice, scheduler=Scheduler(engine, 4), seed=seed, **options):  # type: ignore[arg-type]
        if isinstance(event, SentenceStarted):
            sentences.append(Sentence(event.text, 0, np.zeros(0, np.int16)))
        elif isinstance(event, SentenceAudio):
            sentences[-1].samples = np.concatenate([sentences[-1].samples, event.audio.samples])
    return [without_pause(sentence) for sentence in sentences]


def without_pause(sentence: Sentence) -> Sentence:
    """A fade begins above zero: what is zero before it was put in."""
    [loud] = np.nonzero(sentence.samples)
    return Sentence(sentence.text, int(loud[0]), sentence.samples[loud[0] :])


@pytest.fixture(scope="module")
async def story(coqui: WorkerSpeechEngine) -> list[Sentence]:
    return await said(coqui, THIRTY)


def steps(samples: np.ndarray) -> Signal:
    """How far each sample lies from the one before, of full scale, silence on both sides."""
    return np.abs(np.diff(np.concatenate([[0], samples / 32768, [0]])))


def gaps(samples: np.ndarray) -> Signal:
    """Seconds of the pauses within, longest first."""
    frames = samples[: len(samples) // 110 * 110].reshape(-1, 110) / 32768
    loud = np.flatnonzero(np.sqrt(np.mean(frames**2, axis=1)) > QUIET)
    return np.sort((np.diff(loud) - 1) * 110 / RATE)[::-1]


def joined(sentences: list[Sentence]) -> np.ndarray:
    return np.concatenate([part for one in sentences for part in (np.zeros(one.pause, np.int16), one.samples)])


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, 4.0])
async def test_the_wave_does_not_jump_at_a_seam(coqui: WorkerSpeechEngine, speed: float) -> None:
    for sentence in await said(coqui, FIVE, speed=speed):
        jumps = steps(sentence.samples)
        assert max(jumps[0], jumps[-1]) < 0.001
        assert max(jumps[:FADE].max(), jumps[-FADE:].max()) < jumps.max() / 2


async def test_no_seam_of_thirty_sentences_clicks(story: list[Sentence]) -> None:
    assert len(story) >= 30
    for sentence in story:
        jumps = steps(sentence.samples)
        assert max(jumps[0], jumps[-1]) < 0.001
        assert max(jumps[:FADE].max(), jumps[-FADE:].max()) < jumps.max() / 2


async def test_pauses_between_sentences_are_those_of_a_reader(story: list[Sentence]) -> None:
    for before, after in itertools.pairwise(story):
        [heard] = gaps(np.concatenate([before.samples[-9000:], np.zeros(after.pause, np.int16), after.samples[:9000]]))[:1]
        assert 0.05 < heard - pause_after(before.text) < 0.4


async def test_a_comma_between_two_fragments_is_as_long_as_one_within_a_sentence(coqui: WorkerSpeechEngine) -> None:
    within, between = [], []
    for text in ("When the morning came at last, all of them were gone.", "He wanted very much to come with us, but nobody had asked him."):
        for seed in (1, 2):
            within.append(gaps(joined(await said(coqui, text, seed)))[0])
            between.append(gaps(joined(await said(coqui, text, seed, clause_first=True)))[0])
    assert np.median(between) == pytest.approx(np.median(within), abs=0.1)


async def test_nothing_is_clipped_and_nothing_lies_off_the_middle(story: list[Sentence]) -> None:
    whole = joined(story).astype(int)
    assert np.abs(whole).max() < 32767
    assert abs(whole.mean()) < 32768 * 0.001


async def test_sentences_are_equally_loud(story: list[Sentence]) -> None:
    """Single words cried out are louder, as they should be; what makes a sentence stays within a listener's tolerance."""
    level = {sentence.text: loudness(sentence.samples, RATE) for sentence in story}
    usual = np.median(list(level.values()))
    assert -28 < usual < -20
    assert max(abs(level[one.text] - usual) for one in story if len(one.samples) > 1.5 * RATE) < 3
    assert max(abs(one - usual) for one in level.values()) < 6


@pytest.mark.parametrize("form", FORMATS)
async def test_every_format_is_the_voice_again(story: list[Sentence], form: Format) -> None:
    sent = joined(story)[: 30 * RATE]
    made = Encoder(form, RATE).output_rate
    wanted = soxr.resample(sent / 32768, RATE, made)
    got = decoded(encoded(sent, form, RATE), form, made)
    late = delay(got, wanted)
    assert late == {"mp3": 1105, "aac": 1024}.get(form, 0)
    assert 0 <= len(got) - late - len(wanted) < (2304 if late else 1)
    heard = got[late : late + len(wanted)]
    assert abs(decibels(rms(heard) / rms(wanted))) < 0.5
    assert np.corrcoef(heard, wanted)[0, 1] > 0.98
    assert np.abs(np.diff(heard)).max() < 1.5 * np.abs(np.diff(wanted)).max()
    assert longest_silence(heard, 1e-3) < longest_silence(wanted, 1e-3) + made // 100


@pytest.mark.parametrize("form", ["wav", "mp3", "opus"])
async def test_soundfile_reads_it_too(story: list[Sentence], form: Format) -> None:
    """Not flac: libsndfile wants to know the length beforehand, which a stream cannot say."""
    samples, rate = soundfile.read(io.BytesIO(encoded(story[1].samples, form, RATE)))
    assert len(samples) == len(decoded(encoded(story[1].samples, form, RATE), form, rate))
