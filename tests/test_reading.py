"""The loop behind `fireside say`, and how its sentences reach the engine."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from commands import manuscript
from commands.journal import Seam
from commands.manuscript import Manuscript
from commands.reading import Manner, Speaker, Unhurried, read
from models.base import Audio, SpeechJob, Voice
from models.errors import InvalidInput
from voice.schedule import Scheduler

pytestmark = pytest.mark.anyio

TEXT = "One is said. *** Two is said.\n\nThree is said. Four is said."


class Engine:
    concurrency = 4

    def __init__(self) -> None:
        self.jobs: list[SpeechJob] = []

    async def synthesize(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        self.jobs.append(job)
        yield Audio(np.full(len(job.text) * 100, 1, np.int16), 8000)


class Tape:
    """A sink and a recording in one."""

    def __init__(self, seam: Seam) -> None:
        self.seam = seam
        self.seconds = seam.samples / 8000
        self.samples = np.zeros(0, np.int16)
        self.marks = [seam]

    async def write(self, audio: Audio) -> None:
        self.samples = np.concatenate([self.samples, audio.samples])

    def mark(self, start: int, end: int) -> None:
        self.marks.append(Seam(start, end, len(self.samples)))


def speaker(engine: Engine) -> Speaker:
    return Speaker(Voice("ann", "ann", "en", 8000), Scheduler(Unhurried(engine), 4), Manner(), True, lookahead=3)


async def recorded(seam: Seam, text: str = TEXT, engine: Engine | None = None) -> Tape:
    tape = Tape(seam)
    script = manuscript.from_argument(text)
    assert isinstance(script, Manuscript)
    await read(speaker(engine or Engine()), script, [tape], tape, lambda _: None)  # type: ignore[arg-type]
    return tape


async def test_from_every_seam_the_rest_is_that_of_one_run_pauses_and_all() -> None:
    whole = await recorded(Seam())
    assert [TEXT[mark.start : mark.end] for mark in whole.marks[1:]] == [
        "One is said. ",
        "*** Two is said.\n\n",
        "Three is said. ",
        "Four is said.",
    ]
    for seam in whole.marks[1:]:
        rest = await recorded(seam)
        assert np.array_equal(rest.samples, whole.samples[seam.samples :])
        assert rest.marks[-1].end == (len(TEXT) if seam.end < len(TEXT) else seam.end)


async def test_a_text_that_is_divided_otherwise_now_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no longer divided"):
        await recorded(Seam(0, 5, 100))


async def test_a_recording_is_made_without_hurry_so_that_its_windows_are_always_the_same() -> None:
    engine = Engine()
    await recorded(Seam(), engine=engine)
    assert len(engine.jobs) == 4
    assert all(job.plays_at and job.plays_at > time.monotonic() + 1000 for job in engine.jobs)
