"""The scheduler before an engine: turns, slots, cancellation, and everyone's own audio."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from models.base import Audio, SpeechJob
from models.errors import EngineFailed, Overloaded
from voice.schedule import Scheduler

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Engine:
    """Three chunks a job, each sample the number in the owner's name; jobs run when `go` is set."""

    def __init__(self, concurrency: int = 1) -> None:
        self.concurrency = concurrency
        self.inside = 0
        self.most = 0
        self.started: list[tuple[str, int]] = []
        self.closed: list[str] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        self.started.append((job.owner, job.index))
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.begun.set()
        try:
            await self.go.wait()
            for _ in range(3):
                await asyncio.sleep(0)
                if "fail" in job.text:
                    raise EngineFailed("on purpose")
                yield Audio(np.full(100, int(job.owner), np.int16), 1000)
        finally:
            self.inside -= 1
            self.closed.append(job.owner)


def job(owner: int, index: int = 0, text: str = "hello") -> SpeechJob:
    return SpeechJob(str(owner), index, text, "voice")


async def collect(scheduler: Scheduler, wanted: SpeechJob) -> list[Audio]:
    return [audio async for audio in scheduler.synthesize(wanted)]


async def test_first_sentences_go_before_second_ones_and_slots_are_kept() -> None:
    engine = Engine()
    scheduler = Scheduler(engine, max_waiting=10)
    tasks = [asyncio.create_task(collect(scheduler, job(owner, index))) for owner in (1, 2) for index in (0, 1)]
    await engine.begun.wait()
    assert (scheduler.running, scheduler.waiting) == (1, 3)
    engine.go.set()
    await asyncio.gather(*tasks)
    assert engine.started == [("1", 0), ("2", 0), ("1", 1), ("2", 1)]
    assert engine.most == 1
    assert (scheduler.running, scheduler.waiting) == (0, 0)


async def test_who_waits_too_long_for_a_first_sound_is_refused_and_who_hears_already_waits_on() -> None:
    engine = Engine(concurrency=2)
    scheduler = Scheduler(engine, max_waiting=10, patience=0.02)
    running = [asyncio.create_task(collect(scheduler, job(owner))) for owner in (1, 2)]
    await engine.begun.wait()
    later = asyncio.create_task(collect(scheduler, job(1, 1)))  # of one for whom something is being made
    with pytest.raises(Overloaded, match=r"not begun within 0\.02 s") as refused:
        await collect(scheduler, job(3))
    assert refused.value.retry_after >= 1
    engine.go.set()
    assert [len(audio) for audio in await asyncio.gather(*running, later)] == [3, 3, 3]
    assert (scheduler.running, scheduler.waiting) == (0, 0)


async def test_who_has_priority_goes_first() -> None:
    engine = Engine()
    scheduler = Scheduler(engine, max_waiting=10)
    tasks = [asyncio.create_task(collect(scheduler, wanted)) for wanted in (job(1), job(2), replace(job(3), priority=60))]
    await engine.begun.wait()
    engine.go.set()
    await asyncio.gather(*tasks)
    assert engine.started == [("1", 0), ("3", 0), ("2", 0)]


async def test_closing_a_running_job_stops_the_engine_and_frees_its_slot() -> None:
    engine = Engine()
    engine.go.set()
    scheduler = Scheduler(engine, max_waiting=10)
    stream = scheduler.synthesize(job(1))
    await anext(stream)
    other = asyncio.create_task(collect(scheduler, job(2)))
    await stream.aclose()  # type: ignore[attr-defined]
    assert engine.closed == ["1"]
    assert len(await other) == 3


async def test_a_cancelled_job_in_the_queue_never_reaches_the_engine() -> None:
    engine = Engine()
    scheduler = Scheduler(engine, max_waiting=10)
    running = asyncio.create_task(collect(scheduler, job(1)))
    queued = asyncio.create_task(collect(scheduler, job(2)))
    await engine.begun.wait()
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    assert scheduler.waiting == 0
    engine.go.set()
    await running
    assert engine.started == [("1", 0)]


async def test_a_failed_job_fails_alone() -> None:
    engine = Engine()
    engine.go.set()
    scheduler = Scheduler(engine, max_waiting=10)
    bad, good = await asyncio.gather(collect(scheduler, job(1, text="fail")), collect(scheduler, job(2)), return_exceptions=True)
    assert isinstance(bad, EngineFailed)
    assert isinstance(good, list)
    assert len(good) == 3
    assert scheduler.load().running == 0


async def test_one_too_many_is_told_to_come_back() -> None:
    engine = Engine()
    scheduler = Scheduler(engine, max_waiting=1)
    tasks = [asyncio.create_task(collect(scheduler, job(owner))) for owner in (1, 2)]
    await engine.begun.wait()
    with pytest.raises(Overloaded):
        await collect(scheduler, job(3))
    with pytest.raises(Overloaded), scheduler.serving("3"):
        pass
    engine.go.set()
    await asyncio.gather(*tasks)
    assert len(await collect(scheduler, job(3))) == 3


async def leave_at_random(scheduler: Scheduler, wanted: SpeechJob, chance: random.Random) -> list[Audio]:
    task = asyncio.create_task(collect(scheduler, wanted))
    for _ in range(chance.randrange(0, 60)):
        await asyncio.sleep(0)
    if chance.random() < 0.5:
        task.cancel()
    result = (await asyncio.gather(task, return_exceptions=True))[0]
    return result if isinstance(result, list) else []


@pytest.mark.parametrize("seed", range(5))
async def test_under_random_cancels_nobody_gets_anothers_audio_and_nothing_is_left(seed: int) -> None:
    engine = Engine(concurrency=4)
    engine.go.set()
    scheduler, chance = Scheduler(engine, max_waiting=1000), random.Random(seed)
    jobs = [job(owner, index, "fail" if chance.random() < 0.1 else "hello") for owner in range(1, 40) for index in range(4)]
    heard = await asyncio.gather(*(leave_at_random(scheduler, wanted, chance) for wanted in jobs))
    for wanted, audio in zip(jobs, heard, strict=True):
        assert {int(sample) for piece in audio for sample in piece.samples} <= {int(wanted.owner)}
    assert sum(map(bool, heard)) > 20
    assert engine.most == 4
    assert (engine.inside, scheduler.running, scheduler.waiting, scheduler._order.owners, scheduler._turns) == (0, 0, 0, 0, {})
