"""The chat route asked from within, on the mock engine; tests/engines does the same on vLLM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from api.chat_stream import Delta, chat
from models.errors import ContextTooLong, EngineDied, EngineFailed, InvalidInput, UnknownModel
from models.text.mock import MockTextEngine
from models.text.mock_replies import Called
from settings import Fault, MockText

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def engine() -> AsyncIterator[MockTextEngine]:
    async with started(MockText()) as made:
        yield made


class started:  # noqa: N801
    def __init__(self, settings: MockText) -> None:
        self.engine = MockTextEngine("mock-text", (), settings)

    async def __aenter__(self) -> MockTextEngine:
        await self.engine.start()
        return self.engine

    async def __aexit__(self, *_: object) -> None:
        await self.engine.stop()


async def told(engine: MockTextEngine, **body: Any) -> list[Delta]:
    return [delta async for delta in chat(engine, {"model": "mock-text", "messages": HELLO} | body, "me")]


async def test_text_comes_in_deltas_and_usage_at_the_end(engine: MockTextEngine) -> None:
    engine.enqueue(["It is late. Go home."])
    deltas = await told(engine)
    assert "".join(delta.text for delta in deltas) == "It is late. Go home."
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    assert deltas[-1].usage
    assert deltas[-1].usage["completion_tokens"] > 3


async def test_a_call_of_a_tool_comes_in_pieces(engine: MockTextEngine) -> None:
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}
    deltas = await told(engine, tools=[tool], tool_choice="required")
    tools = [piece for delta in deltas for piece in delta.tools]
    assert tools[0].name == "clock"
    assert tools[0].call_id
    assert "".join(piece.arguments for piece in tools).startswith("{")


CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("said", ["", "One moment. "])
async def test_a_scripted_reply_may_say_something_and_call_a_tool(engine: MockTextEngine, said: str) -> None:
    engine.enqueue([Called("clock", '{"zone": "UTC"}', said), "It is late."])
    deltas = await told(engine, tools=[CLOCK])
    tools = [piece for delta in deltas for piece in delta.tools]
    assert (tools[0].name, tools[0].arguments) == ("clock", "")
    assert "".join(piece.arguments for piece in tools) == '{"zone": "UTC"}'
    assert "".join(delta.text for delta in deltas) == said
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["tool_calls"]
    assert "".join(delta.text for delta in await told(engine, tools=[CLOCK])) == "It is late."


async def test_a_chat_without_tools_gets_no_scripted_call(engine: MockTextEngine) -> None:
    engine.enqueue([Called("clock")])
    with pytest.raises(EngineFailed, match="only a chat with tools"):
        await told(engine)


async def test_what_the_route_refuses_is_raised(engine: MockTextEngine) -> None:
    with pytest.raises(InvalidInput):
        await told(engine, messages=[])
    with pytest.raises(UnknownModel):
        await told(engine, model="nobody")
    with pytest.raises(ContextTooLong):
        await told(engine, messages=[{"role": "user", "content": "word " * 5000}])


def refusing(message: str) -> Any:
    """An engine whose route refuses all with these words."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        error = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})

    return SimpleNamespace(name="fake", app=app)


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 64 tokens. However, your prompt contains at least 65 input tokens.",
        "The decoder prompt (length 65) is longer than the maximum model length of 64. Make sure that `max_model_len` is no smaller.",
        "The decoder prompt (length 64) plus the number of requested output tokens is longer than the maximum model length of 64.",
    ],
)
async def test_a_conversation_that_is_too_long_is_known_by_each_of_vllm_s_refusals(words: str) -> None:
    with pytest.raises(ContextTooLong, match="64"):
        await told(refusing(words))


async def test_a_failure_on_the_way_is_raised_behind_what_came() -> None:
    async with started(MockText(fault=Fault(kind="mid_stream"))) as engine:
        deltas = []
        with pytest.raises(EngineFailed):
            async for delta in chat(engine, {"model": "mock-text", "messages": HELLO}, "me"):
                deltas.append(delta)  # noqa: PERF401
        assert "".join(delta.text for delta in deltas)


@pytest.mark.parametrize(
    ("code", "kind"), [(503, EngineDied), ("engine_died", EngineDied), (500, EngineFailed), ("engine_failed", EngineFailed)]
)
async def test_a_death_on_the_way_is_told_from_other_failures(code: Any, kind: type[EngineFailed]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        error = {"message": "out of luck", "type": "server_error", "param": None, "code": code}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: " + json.dumps({"error": error}).encode() + b"\n\ndata: [DONE]\n\n"})

    with pytest.raises(EngineFailed, match="out of luck") as failure:
        await told(SimpleNamespace(name="fake", app=app))  # type: ignore[arg-type]
    assert type(failure.value) is kind


async def test_an_answer_that_stops_without_its_end_has_failed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'data: {"choices": [{"delta": {"content": "Good"}}]}\n\n'})

    with pytest.raises(EngineFailed, match="before it was whole"):
        await told(SimpleNamespace(name="fake", app=app))  # type: ignore[arg-type]


async def test_closing_it_aborts_the_request() -> None:
    async with started(MockText(tokens_per_second=5)) as engine:
        async with aclosing(chat(engine, {"model": "mock-text", "messages": HELLO}, "me")) as deltas:
            async for delta in deltas:
                if delta.text:
                    break
            assert engine.load().running == 1
        assert engine.load().running == 0


async def test_cancelling_whoever_waits_for_it_aborts_it_too() -> None:
    async with started(MockText(ttft=60)) as engine:
        waiting = asyncio.create_task(told(engine))
        while not engine.load().running:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert engine.load().running == 0


async def test_an_app_hears_that_its_client_left_before_its_answer_began() -> None:
    """What it has begun beside itself is its own to end, as vLLM does then, and not where it is cancelled."""
    heard = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])
        asked.set()
        heard.append((await receive())["type"])

    asked, engine = asyncio.Event(), SimpleNamespace(name="m", app=app)
    reading = asyncio.create_task(told(engine))  # type: ignore[arg-type]
    await asked.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert heard == ["http.request", "http.disconnect"]
