"""The OpenAI contract on the mock's own app, over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from models.text.mock import MockTextEngine
from settings import MockText
from tests.contract.cases import READS
from tests.contract.serving import serve
from tests.contract.shapes import shape
from tests.contract.suite import HELLO, RECORDED, OpenAIContract


@pytest.fixture(scope="module")
def engine() -> MockTextEngine:
    """As long a context as the recorded engine had, and slow enough that an endless answer outlasts every test."""
    return MockTextEngine("mock-text", ("gpt-4o-mini",), MockText(max_model_len=2048, tokens_per_second=200))


@pytest.fixture(scope="module")
def server(engine: MockTextEngine) -> Iterator[str]:
    with serve(engine) as url:
        yield url


class TestMockContract(OpenAIContract):
    @pytest.fixture
    def openai_base_url(self, server: str) -> str:
        return f"{server}/v1"

    @pytest.fixture
    def model(self) -> str:
        return "mock-text"

    @pytest.fixture
    def running_count(self, engine: MockTextEngine) -> Callable[[], int]:
        return lambda: engine.load().running

    @pytest.mark.parametrize("path", READS)
    async def test_the_shape_of_what_is_read(self, server: str, path: str) -> None:
        async with httpx.AsyncClient(base_url=server) as http:
            body: Any = (await http.get(path)).json()
        assert shape(body) == RECORDED["reads"][path]

    async def test_logprobs_are_refused_not_left_out(self, openai_client: AsyncOpenAI, model: str) -> None:
        with pytest.raises(openai.BadRequestError, match="no logprobs"):
            await openai_client.chat.completions.create(model=model, messages=HELLO, logprobs=True)
