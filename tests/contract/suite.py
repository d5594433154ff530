"""What every text engine promises to an OpenAI client, written once. A subclass gives `openai_base_url`, `model` and `running_count`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.contract.cases import ANSWERS, CONVERSATION, ERRORS, JSON_SCHEMA, NAMED, STREAMS, TOOLS, Case
from tests.contract.shapes import SHAPES, body_of, error, shape, stream_shape

RECORDED = json.loads(SHAPES.read_text(encoding="utf-8"))
HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
# Longer than any test waits for, so that a request which is gone was cut and did not just end.
ENDLESS: dict[str, Any] = {"max_tokens": 1900, "extra_body": {"ignore_eos": True}}
LOOKS = 100


async def eventually(holds: Callable[[], bool]) -> None:
    """Looks are counted, not seconds: a machine that stood still has not looked."""
    for _ in range(LOOKS):
        if holds():
            return
        await anyio.sleep(0.05)
    raise AssertionError(f"it did not come about in {LOOKS} looks")


def text_of(chunks: list[Any], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


class OpenAIContract:
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    async def openai_client(self, openai_base_url: str) -> AsyncIterator[AsyncOpenAI]:
        async with AsyncOpenAI(base_url=openai_base_url, api_key="none", max_retries=0, timeout=60) as client:
            yield client

    @pytest.fixture
    async def post(self, openai_base_url: str, model: str) -> AsyncIterator[Callable[[Case], Any]]:
        async with httpx.AsyncClient(base_url=openai_base_url.removesuffix("/v1"), timeout=60) as http:
            yield lambda case: http.post(case[0], content=body_of(case, model), headers={"content-type": "application/json"})

    async def test_chat_answers_with_text_and_usage(self, openai_client: AsyncOpenAI, model: str) -> None:
        answer = await openai_client.chat.completions.create(model=model, messages=HELLO, max_tokens=5)
        assert answer.choices[0].message.content
        assert answer.choices[0].message.role == "assistant"
        assert answer.usage is not None
        assert 1 <= answer.usage.completion_tokens <= 5
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

    async def test_a_stream_says_the_same_as_the_whole(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked: dict[str, Any] = {"model": model, "messages": HELLO, "max_tokens": 12, "temperature": 0}
        whole = await openai_client.chat.completions.create(**asked)
        chunks = [chunk async for chunk in await openai_client.chat.completions.create(**asked, stream=True)]
        assert text_of(chunks) == whole.choices[0].message.content
        assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
        assert len({chunk.id for chunk in chunks}) == 1

    async def test_usage_comes_last_in_a_stream_that_asks_for_it(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked = openai_client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=4, temperature=0, stream=True, stream_options={"include_usage": True}
        )
        *others, last = [chunk async for chunk in await asked]
        assert last.choices == []
        assert last.usage is not None
        assert last.usage.completion_tokens == 4
        assert all(chunk.usage is None for chunk in others)

    async def test_max_tokens_ends_with_length(self, openai_client: AsyncOpenAI, model: str) -> None:
        answer = await openai_client.chat.completions.create(model=model, messages=HELLO, max_completion_tokens=3)
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 3

    async def test_a_stop_string_is_not_said(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked: dict[str, Any] = {"model": model, "messages": HELLO, "max_tokens": 12, "temperature": 0}
        full = (await openai_client.chat.completions.create(**asked)).choices[0].message.content or ""
        stop = full[3:8]  # lies across the borders of tokens
        chunks = [chunk async for chunk in await openai_client.chat.completions.create(**asked, stop=stop, stream=True)]
        assert text_of(chunks) == full[: full.index(stop)]
        assert chunks[-1].choices[0].finish_reason == "stop"

    async def test_a_seed_repeats_and_another_differs(self, openai_client: AsyncOpenAI, model: str) -> None:
        async def said(seed: int) -> str | None:
            answer = await openai_client.chat.completions.create(model=model, messages=HELLO, max_tokens=16, temperature=1, seed=seed)
            return answer.choices[0].message.content

        assert await said(1) == await said(1)
        assert len({await said(seed) for seed in range(4)}) > 1

    @pytest.mark.parametrize("stream", [False, True])
    async def test_n_gives_as_many_choices(self, openai_client: AsyncOpenAI, model: str, stream: bool) -> None:
        asked: dict[str, Any] = {"model": model, "messages": HELLO, "max_tokens": 8, "temperature": 1, "seed": 3, "n": 3}
        if stream:
            chunks = [chunk async for chunk in await openai_client.chat.completions.create(**asked, stream=True)]
            said = [text_of(chunks, index) for index in range(3)]
        else:
            answer = await openai_client.chat.completions.create(**asked)
            said = [choice.message.content or "" for choice in answer.choices]
        assert len(set(said)) > 1
        assert all(said)

    async def test_a_conversation_with_all_roles(self, openai_client: AsyncOpenAI, model: str) -> None:
        conversation: list[Any] = CONVERSATION
        short = await openai_client.chat.completions.create(model=model, messages=conversation[:2], max_tokens=4)
        long = await openai_client.chat.completions.create(model=model, messages=conversation, max_tokens=4)
        assert short.usage is not None
        assert long.usage is not None
        assert long.usage.prompt_tokens > short.usage.prompt_tokens

    async def test_completions_answer_each_prompt(self, openai_client: AsyncOpenAI, model: str) -> None:
        answer = await openai_client.completions.create(model=model, prompt=["Once upon a time", "Far away"], max_tokens=6)
        assert [choice.index for choice in answer.choices] == [0, 1]
        assert all(choice.text for choice in answer.choices)

    async def test_a_completion_streams(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked: dict[str, Any] = {"model": model, "prompt": "Once upon a time", "max_tokens": 6, "temperature": 0}
        whole = await openai_client.completions.create(**asked)
        chunks = [chunk async for chunk in await openai_client.completions.create(**asked, stream=True)]
        assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text

    async def test_a_schema_is_kept_to(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked: dict[str, Any] = {"model": model, "messages": HELLO, "temperature": 0, **JSON_SCHEMA}
        answer = await openai_client.chat.completions.create(**asked)
        sky = json.loads(answer.choices[0].message.content or "")
        assert sky["sky"] in {"blue", "grey"}
        assert isinstance(sky["windy"], bool)

    async def test_a_forced_tool_is_called(self, openai_client: AsyncOpenAI, model: str) -> None:
        asked: dict[str, Any] = {"model": model, "messages": HELLO, "temperature": 0, **TOOLS, **NAMED}
        answer = await openai_client.chat.completions.create(**asked)
        (call,) = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "weather"
        assert json.loads(call.function.arguments)["city"] in {"Rome", "Oslo"}

    async def test_an_unknown_model_is_not_found(self, openai_client: AsyncOpenAI) -> None:
        with pytest.raises(openai.NotFoundError, match="nobody"):
            await openai_client.chat.completions.create(model="nobody", messages=HELLO)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_a_prompt_too_long_is_refused_before_the_stream(self, openai_client: AsyncOpenAI, model: str, stream: bool) -> None:
        with pytest.raises(openai.BadRequestError, match="maximum context length is 2048 tokens"):
            await openai_client.chat.completions.create(model=model, messages=[{"role": "user", "content": "word " * 9000}], stream=stream)

    async def test_leaving_in_mid_stream_frees_the_engine(
        self, openai_client: AsyncOpenAI, model: str, running_count: Callable[[], int]
    ) -> None:
        stream = await openai_client.chat.completions.create(model=model, messages=HELLO, stream=True, **ENDLESS)
        await anext(aiter(stream))
        await eventually(lambda: running_count() == 1)
        await stream.close()
        await eventually(lambda: running_count() == 0)

    async def test_leaving_a_whole_answer_frees_the_engine(
        self, openai_client: AsyncOpenAI, model: str, running_count: Callable[[], int]
    ) -> None:
        waiting = asyncio.ensure_future(openai_client.chat.completions.create(model=model, messages=HELLO, **ENDLESS))
        await eventually(lambda: running_count() == 1)
        waiting.cancel()
        await eventually(lambda: running_count() == 0)

    async def test_many_streams_at_once_keep_apart(self, openai_client: AsyncOpenAI, model: str) -> None:
        async def said(number: int) -> str:
            asked: list[Any] = [{"role": "user", "content": f"Tell me about the number {number}."}]
            stream = await openai_client.chat.completions.create(model=model, messages=asked, max_tokens=12, temperature=0, stream=True)
            return text_of([chunk async for chunk in stream])

        together = await asyncio.gather(*[said(number) for number in range(16)])
        assert all(together)
        assert len(set(together)) > 1

    @pytest.mark.parametrize("name", ANSWERS)
    async def test_the_shape_of_an_answer(self, post: Callable[[Case], Any], name: str) -> None:
        response = await post(ANSWERS[name])
        assert json.dumps(shape(response.json())) == json.dumps(RECORDED["answers"][name])

    @pytest.mark.parametrize("name", STREAMS)
    async def test_the_shape_of_a_stream(self, post: Callable[[Case], Any], name: str) -> None:
        response = await post(STREAMS[name])
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert json.dumps(stream_shape(response.text)) == json.dumps(RECORDED["streams"][name])

    @pytest.mark.parametrize("name", ERRORS)
    async def test_what_a_refusal_says(self, post: Callable[[Case], Any], model: str, name: str) -> None:
        assert error(await post(ERRORS[name]), model) == RECORDED["errors"][name]
