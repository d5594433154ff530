"""AsyncLLM (vLLM 0.32.0) without two ways in which one bad request harms the others, which tells what a request took, counts its steps,
and tells its death as one, in a stream too.

Importing this file imports vLLM (seconds): do it in a thread, after the environment is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from vllm import SamplingParams
from vllm.exceptions import GracefulHTTPError, VLLMValidationError
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from models import work
from models.work import Work

# In bits, as EngineCore keeps them. vLLM's routes let any `top_k` through, and on a GPU one too wide ends EngineCore for everyone.
WIDTHS = {"seed": 64, "top_k": 32}


class Outputs(asyncio.Queue[Any]):
    """What comes from EngineCore: one item for each of its steps, those too that read a long prompt and make no token yet."""

    count = 0

    def put_nowait(self, item: Any) -> None:
        self.count += 1
        super().put_nowait(item)


class Dead(EngineDeadError, GracefulHTTPError):  # type: ignore[misc]  # vLLM is not seen by the type checker
    """vLLM's, which its app tells as an error of its own (500): here as one after which to come again (503)."""

    def __init__(self) -> None:
        GracefulHTTPError.__init__(self, "the engine has died: send this again once it is back", HTTPStatus.SERVICE_UNAVAILABLE)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except EngineDeadError as error:
        raise Dead from error


class CarefulLLM(AsyncLLM):  # type: ignore[misc]  # vLLM is not seen by the type checker
    """Made on a thread without an event loop: nobody reads from EngineCore yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outputs = self.engine_core.outputs_queue = Outputs()
        self.output_processor.propagate_error = partial(_propagate, self.output_processor.propagate_error)

    @property
    def dead_error(self) -> Dead:
        """What vLLM's routes raise that find it dead before they ask."""
        return Dead()

    async def add_request(self, request_id: str, prompt: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuses numbers that EngineCore cannot hold: VLLMValidationError, which both our routes and vLLM's tell as a 400."""
        if isinstance(params, SamplingParams):
            _check_widths(params)
        with _told():
            added = await super().add_request(request_id, prompt, params, *args, **kwargs)
        for state in self._states(added.request_id):
            work.current().later(partial(_tell, state))
            work.current().making(partial(_made, state))
        return added

    def _states(self, name: str) -> list[Any]:
        """What the books have of a request: one state for each of the answers that it asks for."""
        books = self.output_processor
        parent = books.parent_requests.get(name)
        return [books.request_states[answer] for answer in (parent.child_requests if parent else (name,)) if answer in books.request_states]

    async def _add_request(self, request: Any, *args: Any) -> None:
        """vLLM enters a request in its books and then sends it: what cannot be sent would stay there, waiting, for ever."""
        try:
            await super()._add_request(request, *args)
        except BaseException:
            self.output_processor.abort_requests([request.request_id], internal=True)
            raise


def _propagate(vllms: Any, error: Exception) -> None:
    """To all requests."""
    vllms(Dead() if isinstance(error, EngineDeadError) else error)


def _tell(state: Any, told: Work) -> None:
    """What vLLM's books have of a request, one of several answers to a prompt perhaps: the prompt is read once."""
    told.prompt_tokens += state.prompt_len if state.request_index == 0 else 0
    if (stats := state.stats) is None:
        return
    told.completion_tokens += stats.num_generation_tokens
    if stats.scheduled_ts:
        told.begun("text", stats.queued_ts, stats.scheduled_ts)
        told.ended("text", stats.last_token_ts or stats.scheduled_ts)


def _made(state: Any) -> int:
    return state.stats.num_generation_tokens if state.stats is not None else 0


def _check_widths(params: SamplingParams) -> None:
    for name, bits in WIDTHS.items():
        value, bound = getattr(params, name) or 0, 1 << bits - 1
        if not -bound <= value < bound:
            raise VLLMValidationError(f"{name} must be a signed number of {bits} bits, got {value}.", parameter=name, value=value)
