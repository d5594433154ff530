"""An engine for tests of voice.speak, and what it takes to listen to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from models.base import Audio, SpeechJob, Voice
from models.errors import EngineDied, EngineFailed
from voice.schedule import Scheduler
from voice.speak import Flush, SentenceStarted, SpeechEvent, speak

VOICE = Voice("v", "m", "en", 1000)


class Engine:
    """Ten samples a word, each of them the sentence's number plus one; a sentence may be told to wait, and "fail" and "die" do."""

    def __init__(self, concurrency: int = 2) -> None:
        self.concurrency = concurrency
        self.jobs: list[SpeechJob] = []
        self.open = 0
        self.gates: dict[int, asyncio.Event] = {}
        self.arrived: dict[int, asyncio.Event] = {}

    def gate(self, index: int) -> asyncio.Event:
        return self.gates.setdefault(index, asyncio.Event())

    def has(self, index: int) -> asyncio.Event:
        return self.arrived.setdefault(index, asyncio.Event())

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        self.jobs.append(job)
        self.open += 1
        self.has(job.index).set()
        try:
            for word in job.text.split():
                await asyncio.sleep(0)
                if job.index in self.gates:
                    await self.gates[job.index].wait()
                if word.startswith(("fail", "die")):
                    raise (EngineDied if word.startswith("die") else EngineFailed)("on purpose")
                yield Audio(np.full(10, job.index + 1, np.int16), 1000)
        finally:
            self.open -= 1


async def typed(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


def talk(text: str | AsyncIterator[str | Flush], scheduler: Scheduler, lookahead: int = 3, **options: object) -> AsyncIterator[SpeechEvent]:
    return speak(text, owner="me", voice=VOICE, scheduler=scheduler, lookahead=lookahead, **options)  # type: ignore[arg-type]


async def events(text: str | AsyncIterator[str], scheduler: Scheduler, **options: object) -> list[SpeechEvent]:
    return [event async for event in talk(text, scheduler, **options)]


async def gather_into(found: list[SpeechEvent], stream: AsyncIterator[SpeechEvent]) -> None:
    """Keeps what came before an error."""
    async for event in stream:
        found.append(event)  # noqa: PERF401 (a comprehension would lose it)


def texts(found: list[SpeechEvent]) -> list[str]:
    return [event.text for event in found if isinstance(event, SentenceStarted)]
