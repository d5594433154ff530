"""The OpenAI contract on the real engine, through the running server that `server_url` names."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from openai import AsyncOpenAI

from tests.contract.suite import HELLO, OpenAIContract

pytestmark = pytest.mark.engines
RUNNING = "vllm:num_requests_running"


class TestVllmContract(OpenAIContract):
    @pytest.fixture
    def openai_base_url(self, server_url: str) -> str:
        return f"{server_url}/v1"

    @pytest.fixture
    def model(self, server_url: str) -> str:
        """The first text model the server lists."""
        return str(httpx.get(f"{server_url}/v1/models", timeout=30).json()["data"][0]["id"])

    @pytest.fixture
    def running_count(self, server_url: str) -> Callable[[], int]:
        """vLLM's own gauge: what its scheduler is working on, on the far side of every queue."""

        def read() -> int:
            lines = httpx.get(f"{server_url}/metrics", timeout=30).text.splitlines()
            return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(RUNNING)))

        return read

    async def test_logprobs_name_the_likeliest_tokens(self, openai_client: AsyncOpenAI, model: str) -> None:
        answer = await openai_client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2
        )
        assert answer.choices[0].logprobs is not None
        tokens = answer.choices[0].logprobs.content or []
        assert "".join(token.token for token in tokens) == answer.choices[0].message.content
        assert all(token.logprob == token.top_logprobs[0].logprob for token in tokens)
        assert all(len(token.top_logprobs) == 2 for token in tokens)
