"""One request in vLLM's terms: prompt rendered, sampling filled from the model's own defaults, vLLM's errors in ours.

Importing this file imports vLLM (seconds): do it in a thread, after the environment is set.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from jinja2 import TemplateError
from vllm import SamplingParams
from vllm.exceptions import GracefulHTTPError, QueueOverflowError, VLLMClientError, VLLMValidationError
from vllm.renderers import ChatParams, merge_kwargs
from vllm.renderers.chat_utils import load_chat_template
from vllm.renderers.inputs.preprocess import extract_prompt_len, parse_model_prompt
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from models.base import Sampling, TextRequest
from models.errors import ContextTooLong, EngineDied, EngineFailed, InvalidInput, Overloaded
from models.text.vllm_load import one_line

# How vLLM names what is too long: in characters (a bound that spares the tokenizer), or in tokens.
TOO_LONG = {"input_text": "characters", "input_tokens": "tokens"}


class Requests:
    """Turns requests into what `AsyncLLM.generate` takes, as vLLM's own server does."""

    def __init__(self, llm: AsyncLLM, args: argparse.Namespace) -> None:
        self._llm = llm
        self._renderer = llm.renderer
        self._model = llm.model_config
        self._defaults: dict[str, Any] = self._model.get_diff_sampling_param()
        self._chat = ChatParams(
            chat_template=load_chat_template(args.chat_template),
            chat_template_content_format=args.chat_template_content_format,
            chat_template_kwargs=merge_kwargs(args.default_chat_template_kwargs, {"add_generation_prompt": True, "tools": None}),
        )

    def compile_template(self) -> None:
        """The best part of a second that vLLM's app would take on the loop. Call it off the loop."""
        self._renderer.warmup(self._chat)

    async def warm_up(self) -> None:
        """The first request of its kind pays for kernels, caches and allocations, and all others wait meanwhile: let it be ours.

        torch compiles for probabilities, tens of seconds on a CPU: for one answer, and again for several at once.
        """
        self._hello = prompt = await self._render(TextRequest("warm-up", prompt="Hello"))
        for answers in (1, 2):
            with suppress(VLLMValidationError, QueueOverflowError):  # this many may be more than vLLM was told to take
                asked = SamplingParams(n=answers, max_tokens=4, ignore_eos=True, logprobs=0)
                async for _ in self._llm.generate(prompt, asked, f"warm-up-{answers}"):
                    pass

    async def least(self) -> tuple[Any, SamplingParams]:
        """One token, once it is warm. Nothing is left to do for it in this process, where long prompts of others may be read first."""
        return self._hello, SamplingParams(max_tokens=1, temperature=0.0)

    @property
    def limit(self) -> int:
        return int(self._model.max_model_len)

    async def prepare(self, request: TextRequest) -> tuple[Any, SamplingParams]:
        """Raises InvalidInput or ContextTooLong."""
        with self._refusals():
            prompt = await self._render(request)
            room = self.limit - extract_prompt_len(self._model, prompt)
            if room < 1:
                raise ContextTooLong(self._too_long(f"{self.limit - room} tokens"), param=_field(request))
            return prompt, self._sampling(request.sampling, room)

    async def _render(self, request: TextRequest) -> Any:
        if (request.prompt is None) == (not request.messages):
            raise InvalidInput("expected exactly one of `prompt` and `messages`", param="messages")
        if request.prompt is not None:
            (prompt,) = await self._renderer.render_cmpl_async([parse_model_prompt(self._model, request.prompt)])
        else:
            conversation = [_checked(message) for message in request.messages]
            _, (prompt,) = await self._renderer.render_chat_async([conversation], self._chat)
        return prompt

    def _sampling(self, asked: Sampling, room: int) -> SamplingParams:
        given = {name: value for name, value in asdict(asked).items() if value is not None}
        # vLLM wants a list, and None rather than an empty one.
        stop = list(given.pop("stop")) or None
        values = {**self._defaults, **given}
        bounds = (room, values.get("max_tokens"), self._cap())
        values["max_tokens"] = min(bound for bound in bounds if bound is not None)
        return SamplingParams(**values, stop=stop, output_kind=RequestOutputKind.DELTA, skip_clone=True)

    def _cap(self) -> int | None:
        """The operator's own upper limit, where one is configured: the rule of vLLM's OpenAIServingChat."""
        if self._model.generation_config not in ("auto", "vllm"):
            cap: int | None = self._defaults.get("max_tokens")
        else:
            cap = self._model.override_generation_config.get("max_new_tokens")
        return cap

    def _too_long(self, came: str) -> str:
        return f"the model takes at most {self.limit} tokens, prompt and answer together, and the prompt has {came}; send a shorter one"

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except VLLMValidationError as error:
            if error.parameter in TOO_LONG:
                raise ContextTooLong(self._too_long(f"at least {error.value} {TOO_LONG[error.parameter]}"), param="prompt") from error
            raise InvalidInput(str(error), param=error.parameter) from error
        except (VLLMClientError, ValueError, TypeError, TemplateError) as error:
            raise InvalidInput(f"the model's renderer refuses the prompt: {one_line(error)}") from error


def _checked(message: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(message.get("role"), str):
        raise InvalidInput(
            f"each message needs a `role` (system, user, assistant or tool), got the keys {sorted(message)}", param="messages"
        )
    return dict(message)


def _field(request: TextRequest) -> str:
    return "messages" if request.messages else "prompt"


@contextmanager
def translated() -> Iterator[None]:
    """vLLM's errors of a running request, in our tree."""
    try:
        yield
    except EngineDeadError as error:
        raise EngineDied("the engine died while it held the request; send it again once the server is ready") from error
    except VLLMClientError as error:
        raise InvalidInput(one_line(error), param=getattr(error, "parameter", None)) from error
    except GracefulHTTPError as error:
        raise Overloaded(f"the engine's queue is full: {one_line(error)}") from error
    except EngineGenerateError as error:
        raise EngineFailed(f"the engine failed on this request: {one_line(error.__cause__ or error)}") from error
