"""A long answer that somebody interrupts by speaking: how long it goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter, sleep
from urllib.request import urlopen

from benchmarks.talking import Samples, Talker, talker
from benchmarks.turns import recording

STORY = "Tell me a long story about a lighthouse keeper and his dog."
STOP = "Stop, please. I have heard enough of this."
LISTENED = 1.0
"""Seconds of the answer that are heard before."""
TOKENS = 400
_RUNNING = ('fireside_running{engine="text"}', 'fireside_running{engine="speech"}')


class NotInterrupted(Exception):
    """The answer had ended by itself."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """In seconds since its first sound: it was told to the client, the last audio came, the answer was over, both engines were idle."""

    told: float
    last_audio: float
    cancelled: float
    idle: float


async def interrupted(port: int, story: Samples, stop: Samples) -> Interruption:
    async with talker(port, max_output_tokens=TOKENS) as one:
        await one.say(story)
        await one.until("response.output_audio.delta")
        await asyncio.sleep(LISTENED)
        (spoken, _), idle = await asyncio.gather(one.say(stop), _idle(port, one))
        await one.until("response.done")
        return _interruption(one, spoken, idle)


async def measure(port: int, rounds: int) -> list[Interruption]:
    story, stop = await recording(port, STORY), await recording(port, STOP)
    return [await interrupted(port, story, stop) for _ in range(rounds)]


def _interruption(one: Talker, spoken: float, idle: float) -> Interruption:
    noted = one.noted
    details = noted.of("response.done")[0]["response"]["status_details"]
    if details is None or details["reason"] != "turn_detected":
        raise NotInterrupted(f"expected a long answer to be interrupted, it ended with {details}")
    told = noted.at("input_audio_buffer.speech_started", spoken)
    return Interruption(
        told - spoken, noted.last("response.output_audio.delta") - spoken, noted.at("response.done") - spoken, idle - spoken
    )


async def _idle(port: int, one: Talker) -> float:
    """When neither text nor speech was in the making any more."""
    await one.until("response.done")
    return await asyncio.to_thread(_wait_idle, port)


def _wait_idle(port: int) -> float:
    while _running(port):
        sleep(0.001)
    return perf_counter()


def _running(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(_RUNNING))
