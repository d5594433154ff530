"""The mock text engine on its own: what it says, when, and how it fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest

from models.base import Load, Sampling, TextChunk, TextRequest
from models.errors import ContextTooLong, EngineDied, EngineFailed, InvalidInput, NotReady
from models.text.mock import MockTextEngine
from models.text.mock_prose import split
from settings import Fault, MockText

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def started(**settings: Any) -> MockTextEngine:
    engine = MockTextEngine("mock-text", (), MockText(**settings))
    await engine.start()
    return engine


def ask(text: str = "Say hello.", **sampling: Any) -> TextRequest:
    return TextRequest("r1", messages=({"role": "user", "content": text},), sampling=Sampling(**sampling))


async def chunks(engine: MockTextEngine, request: TextRequest) -> list[TextChunk]:
    return [chunk async for chunk in engine.generate(request)]


async def said(engine: MockTextEngine, request: TextRequest) -> str:
    return "".join(chunk.text for chunk in await chunks(engine, request))


async def test_the_same_request_gets_the_same_text() -> None:
    assert await said(await started(), ask(seed=7)) == await said(await started(), ask(seed=7))


@pytest.mark.parametrize("other", [ask("Say goodbye.", seed=7), ask(seed=8), ask(seed=7, temperature=0), ask(seed=7, top_p=0.5)])
async def test_another_request_gets_another_text(other: TextRequest) -> None:
    engine = await started()
    assert await said(engine, ask(seed=7)) != await said(engine, other)


async def test_greedy_text_does_not_depend_on_the_seed() -> None:
    engine = await started()
    assert await said(engine, ask(seed=1, temperature=0)) == await said(engine, ask(seed=2, temperature=0))


async def test_replies_come_in_turn_and_requests_are_remembered() -> None:
    engine = await started(replies=("From the profile.",))
    engine.enqueue(["From the test, with  odd\tspaces.\n"])
    assert await said(engine, ask("one")) == "From the profile."
    assert await said(engine, ask("two")) == "From the test, with  odd\tspaces.\n"
    assert [request.messages[0]["content"] for request in engine.history] == ["one", "two"]


async def test_an_exception_can_be_a_reply() -> None:
    engine = await started()
    engine.enqueue([EngineFailed("out of luck")])
    with pytest.raises(EngineFailed, match="out of luck"):
        await said(engine, ask())
    assert engine.load() == Load()
    assert await said(engine, ask())


async def test_a_reply_ends_of_itself_or_at_max_tokens() -> None:
    engine = await started(replies=("one two three", "one two three"))
    whole = await chunks(engine, ask())
    cut = await chunks(engine, ask(max_tokens=2))
    assert (whole[-1], len(whole)) == (TextChunk("", 1, "stop"), 4)
    assert cut == [TextChunk("one", 1), TextChunk(" two", 1, "length")]


@pytest.mark.parametrize(("stop", "expected"), [("wo th", "one t"), ("o", ""), ("three", "one two "), ("four", "one two three")])
async def test_stop_strings_work_across_tokens(stop: str, expected: str) -> None:
    engine = await started(replies=("one two three",))
    got = await chunks(engine, ask(stop=(stop, "nowhere")))
    assert "".join(chunk.text for chunk in got) == expected
    assert got[-1].finish_reason == "stop"


@pytest.mark.parametrize("text", ["one two", "  odd \t spaces\n\n", "Zürich, 98.6!", "长江三峡", "x" * 100, ""])
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text


async def test_a_prompt_too_long_is_refused_at_the_first_step() -> None:
    engine = await started(max_model_len=16)
    with pytest.raises(ContextTooLong, match="maximum context length is 16 tokens"):
        await anext(engine.generate(ask("word " * 17)))
    assert engine.load() == Load()


async def test_a_prompt_that_fills_the_context_leaves_no_room_to_answer() -> None:
    engine = await started(max_model_len=16)
    with pytest.raises(InvalidInput, match="max_tokens must be at least 1"):
        await anext(engine.generate(TextRequest("r1", prompt="word " * 15 + "end")))


async def test_bad_sampling_is_refused_with_its_name() -> None:
    engine = await started()
    with pytest.raises(InvalidInput, match="non-negative") as caught:
        await said(engine, ask(temperature=-1.0))
    assert caught.value.param == "temperature"


async def test_closing_frees_the_engine_at_once() -> None:
    engine = await started()
    async with aclosing(engine.generate(ask())) as stream:
        await anext(stream)
        assert engine.load() == Load(running=1)
    assert engine.load() == Load()


async def test_cancelling_before_the_first_token_frees_the_engine() -> None:
    engine = await started(ttft=3600)
    task = asyncio.ensure_future(said(engine, ask()))
    await asyncio.sleep(0)
    assert engine.load() == Load(running=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.load() == Load()


async def test_others_run_while_a_fast_stream_does() -> None:
    engine = await started()
    other = asyncio.ensure_future(asyncio.sleep(0))
    await said(engine, ask())
    assert other.done()


async def test_tokens_come_at_the_pace_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, loop, naps = await started(ttft=5, tokens_per_second=2, replies=("a b c",)), asyncio.get_running_loop(), []
    now = loop.time()

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(engine._life, "sleep", nap)
    await said(engine, ask())
    assert [round(seconds, 1) for seconds in naps] == [5, 5.5, 6, 6.5]


@pytest.mark.parametrize(("kind", "before"), [("before_first", 0), ("mid_stream", 2)])
async def test_a_fault_comes_where_it_was_asked_for(kind: str, before: int) -> None:
    engine = await started(fault={"kind": kind, "after": 2, "match": "unlucky"})
    got: list[TextChunk] = []
    with pytest.raises(EngineFailed):
        await _collect(engine, ask("an unlucky one"), got)
    assert len(got) == before
    assert await said(engine, ask("a lucky one"))


async def test_a_crash_ends_every_request_and_is_told_of() -> None:
    engine = await started(ttft=3600)
    waiting = [asyncio.ensure_future(said(engine, ask())) for _ in range(3)]
    death = asyncio.ensure_future(engine.died())
    await asyncio.sleep(0)
    engine.crash("lost")
    assert [type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)] == [EngineDied] * 3
    assert await death == "lost"
    assert engine.load() == Load()


async def test_a_crash_can_be_asked_for() -> None:
    engine, got = await started(fault=Fault(kind="crash", after=1)), list[TextChunk]()
    with pytest.raises(EngineDied):
        await _collect(engine, ask(), got)
    assert len(got) == 1
    assert "crash" in await engine.died()


async def test_a_dead_engine_refuses_until_it_is_started_again() -> None:
    engine = await started()
    engine.crash("lost")
    with pytest.raises(EngineDied, match="lost"):
        await said(engine, ask())
    await engine.start()
    assert await said(engine, ask())


async def test_stopping_ends_a_hanging_request_and_is_no_death() -> None:
    engine = await started(fault=Fault(kind="hang", after=0))
    hanging, death = asyncio.ensure_future(said(engine, ask())), asyncio.ensure_future(engine.died())
    await asyncio.sleep(0)
    await engine.stop()
    with pytest.raises(EngineDied, match="shutting down"):
        await hanging
    assert not death.done()
    death.cancel()


async def test_an_engine_that_was_not_started_says_so() -> None:
    with pytest.raises(NotReady, match="start"):
        await said(MockTextEngine("mock-text", (), MockText()), ask())


def test_no_heavy_library_is_imported() -> None:
    code = "import sys, models.text.mock; print([name for name in ('torch', 'vllm', 'TTS', 'transformers') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


async def _collect(engine: MockTextEngine, request: TextRequest, into: list[TextChunk]) -> None:
    async for chunk in engine.generate(request):
        into.append(chunk)  # noqa: PERF401 - what came before an error must be kept
