"""Streaming chat clients: fixed prompts, fixed lengths, and the time of every token."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

import orjson
import uvloop

from benchmarks.apart import Side
from benchmarks.wire import Piece, Truncated, events, request

Outcome = Literal["completed", "error event", "refused", "cut", "silent end"]
TOPICS = (
    "how bread rises", "why the sky is blue", "a walk through an old harbour", "the rules of chess", "how a bicycle stays upright",
    "the life of a honeybee", "what makes a good friend", "the history of paper", "how to plant a tree", "why cats purr",
    "the sound of rain", "how bridges carry weight", "a day on a mountain farm", "what stars are made of", "how glass is made",
    "the first trains",
)  # fmt: skip


class Incomplete(Exception):
    """A stream ended otherwise than with all its tokens."""


@dataclass
class Answer:
    """One stream. `times` holds the arrival of every chunk with text; `tokens` is what the server says it made."""

    began: float
    times: list[float] = field(default_factory=list)
    ended: float = 0.0
    tokens: int = 0
    status: int = 0
    outcome: Outcome = "silent end"

    @property
    def ttft(self) -> float:
        return self.times[0] - self.began

    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


@dataclass(frozen=True, slots=True)
class Burst:
    """Streams that began together, in seconds and tokens."""

    streams: int
    tokens: int
    wall: float
    ttfts: list[float]
    gaps: list[float]

    @property
    def rate(self) -> float:
        return self.tokens / self.wall


def prompt(number: int) -> str:
    """Never the same twice, so that no server answers from its prefix cache, and the same for every server."""
    return f"Story {number}. Write a long text about {TOPICS[number % len(TOPICS)]}."


async def chat(port: int, model: str, text: str, tokens: int) -> Answer:
    """One streamed answer of exactly `tokens` tokens; what went wrong is its outcome, never an exception."""
    answer = Answer(perf_counter())
    try:
        async with request(port, "POST", "/v1/chat/completions", body(model, text, tokens)) as reply:
            answer.status = reply.status
            if reply.status == 200:
                async for event in events(reply.pieces):
                    _take(answer, event)
            else:
                answer.outcome = "refused"
    except (Truncated, OSError):
        answer.outcome = "cut" if answer.outcome == "silent end" else answer.outcome
    answer.ended = perf_counter()
    return answer


def measure(port: int, model: str, streams: int, tokens: int, bursts: int, seed: int, side: Side | None = None) -> list[Burst]:
    """Bursts of `streams` streams one after the other, after one that warms up. Raises Incomplete for a stream that was not completed."""
    return uvloop.run(_measure(port, model, streams, tokens, bursts, seed, side or Side()))


async def _measure(port: int, model: str, streams: int, tokens: int, bursts: int, seed: int, side: Side) -> list[Burst]:
    seeds = itertools.count(seed, streams)
    await _burst(port, model, streams, min(tokens, 16), next(seeds))
    side.begin()
    measured = [await _burst(port, model, streams, tokens, next(seeds)) for _ in range(bursts)]
    side.done()
    while side.goes_on():
        await _burst(port, model, streams, tokens, next(seeds))
    return measured


async def _burst(port: int, model: str, streams: int, tokens: int, seed: int) -> Burst:
    answers = await asyncio.gather(*(chat(port, model, prompt(seed + number), tokens) for number in range(streams)))
    for answer in answers:
        if answer.outcome != "completed" or answer.tokens != tokens or not answer.times:
            raise Incomplete(f"expected {tokens} tokens, got {answer.tokens} ({answer.outcome}, status {answer.status})")
    wall = max(answer.ended for answer in answers) - min(answer.began for answer in answers)
    gaps = [gap for answer in answers for gap in answer.gaps()]
    return Burst(streams, sum(answer.tokens for answer in answers), wall, [answer.ttft for answer in answers], gaps)


def body(model: str, text: str, tokens: int) -> bytes:
    wanted = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": tokens, "temperature": 0}
    return orjson.dumps({**wanted, "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}})


def _take(answer: Answer, event: Piece) -> None:
    at, data = event
    if data == b"[DONE]":
        answer.outcome = "completed" if answer.outcome == "silent end" else answer.outcome
        return
    content = orjson.loads(data)
    if "error" in content:
        answer.outcome = "error event"
    elif content["choices"]:
        if content["choices"][0]["delta"].get("content"):
            answer.times.append(at)
    elif usage := content.get("usage"):
        answer.tokens = usage["completion_tokens"]
