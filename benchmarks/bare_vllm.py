"""vLLM's own server code over an engine that costs nothing: the peer of Fireside's front on the mock. For uvicorn alone.

The app, the chat template and the tokenizer are vLLM's own on the text model of the profile; only what AsyncLLM would get from EngineCore
and put into words is made up here, a word of the mock's prose for each token. What vLLM pays for the words themselves (detokenizing, and
messages from EngineCore) is left out, in its favour.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

from starlette.applications import Starlette
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.renderers import renderer_from_config
from vllm.sampling_params import SamplingParams
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.input_processor import InputProcessor

import settings as configuration
from benchmarks.outer import WithLife
from models.base import Receive, Scope, Send
from models.store import Store, name_of
from models.text import vllm_openai
from models.text.mock_prose import prose

TOKEN = 100
"""Which one does not matter to who is told its text."""


class FakeLLM(AsyncLLM):  # type: ignore[misc]  # vLLM is not seen by the type checker
    """As AsyncLLM without an EngineCore."""

    def __init__(self, args: Namespace) -> None:
        self.vllm_config = AsyncEngineArgs.from_cli_args(args).create_engine_config(UsageContext.OPENAI_API_SERVER)
        self.model_config = self.vllm_config.model_config
        self.renderer = renderer_from_config(self.vllm_config)
        self.input_processor = InputProcessor(self.vllm_config, self.renderer)
        self.admission_stats = None
        self.log_stats = False

    is_running, is_stopped, errored = True, False, False

    async def get_supported_tasks(self) -> tuple[str, ...]:
        return ("generate",)

    def check_admission(self, n: int = 1, request_id: str | None = None) -> None:
        pass

    async def is_tracing_enabled(self) -> bool:
        return False

    async def check_health(self) -> None:
        pass

    def shutdown(self, timeout: float | None = None) -> None:
        pass

    async def generate(
        self, prompt: Any, sampling_params: SamplingParams, request_id: str, **_: Any
    ) -> AsyncGenerator[RequestOutput, None]:
        read = prompt["prompt_token_ids"]
        last = (sampling_params.max_tokens or 1) - 1
        for number, text in enumerate(islice(prose("a story", last + 1), last + 1)):
            await asyncio.sleep(0)  # others run between two tokens, as in the mock
            end = "length" if number == last else None
            answer = CompletionOutput(0, text, [TOKEN], None, None, finish_reason=end)
            yield RequestOutput(request_id, None, read, None, [answer], end is not None)


_app: vllm_openai.OpenAIApp | None = None


@asynccontextmanager
async def _life(_: Starlette) -> AsyncIterator[None]:
    global _app
    settings = configuration.load()
    path = Store(settings.root / "models").path(settings.text.model)
    own = {"model": str(path), "served_model_name": [name_of(settings.text.model)], "disable_log_stats": True}
    args = vllm_openai.parse(settings.text.args, **own)
    _app = await vllm_openai.OpenAIApp.over(FakeLLM(args), args, lambda: None)
    yield
    await _app.close()


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    assert _app, "uvicorn answers nothing before the lifespan has begun"
    await _app(scope, receive, send)


app = WithLife(_answer, _life)
