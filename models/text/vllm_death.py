"""The death of vLLM's engine: noticed at once, told, and brought about where it hangs.

Importing this file imports vLLM (seconds): do it in a thread, after the environment is set.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any, TypeVar

from vllm.exceptions import GracefulHTTPError
from vllm.v1.engine.async_llm import AsyncLLM

from models.errors import EngineDied
from models.parent import kill_tree
from models.text.vllm_log import ErrorLog

T = TypeVar("T")

REAPED = 1.0
"""Seconds within which a process that ends has an exit code. One that holds much memory takes a while."""

RECENT = 60.0
"""Seconds before a death is noticed in which its cause was logged."""


class Rung(Exception):
    """The alarm has."""


class Alarm:
    """Rings once, when a process of the engine has ended or somebody has found the engine dead. Close it before the engine is shut down."""

    def __init__(self, llm: AsyncLLM) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._sentinels = [process.sentinel for process in processes(llm)]
        for sentinel in self._sentinels:
            self._loop.add_reader(sentinel, self.ring)

    def ring(self) -> None:
        self.close()  # a sentinel that has become readable stays so
        self._rung.set()

    async def rung(self, seconds: float) -> bool:
        """Whether it has rung, at the latest after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        return self._rung.is_set()

    async def unless_rung(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of `work`. Raises Rung, with `work` called off, once it rings: vLLM never answers who has asked EngineCore something
        when it dies."""
        working, ringing = asyncio.create_task(work), asyncio.create_task(self._rung.wait())
        try:
            await asyncio.wait({working, ringing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Rung
            return working.result()
        finally:
            for task in (working, ringing):
                task.cancel()
            await asyncio.wait({working, ringing})

    def close(self) -> None:
        while self._sentinels:
            self._loop.remove_reader(self._sentinels.pop())


def processes(llm: AsyncLLM) -> list[Any]:
    """The engine's processes on this machine (none where Ray keeps them)."""
    return list(getattr(llm.engine_core.resources.engine_manager, "processes", ()))


class Ended(GracefulHTTPError):  # type: ignore[misc]  # vLLM is not seen by the type checker
    """Of vLLM's errors, one that its app tells to clients in the words it carries."""


def tell_requests(llm: AsyncLLM, why: str) -> list[str]:
    """Every running request raises Ended, which tells its reader `why`; these were they."""
    running = list(llm.output_processor.request_states)
    llm.output_processor.propagate_error(Ended(why, HTTPStatus.SERVICE_UNAVAILABLE))
    return running


async def end_requests(llm: AsyncLLM, why: str) -> None:
    """EngineCore drops them too, unless it hangs."""
    running = tell_requests(llm, why)
    if not dead(llm):
        await llm.abort(running, internal=True)


@contextmanager
def ended_is_died() -> Iterator[None]:
    try:
        yield
    except Ended as error:
        raise EngineDied(error.message) from error


def kill(llm: AsyncLLM) -> None:
    """Its processes and theirs: one that is stopped would not end with its parent."""
    for process in processes(llm):
        if process.pid is not None and process.is_alive():
            kill_tree(process.pid)


def dead(llm: AsyncLLM) -> bool:
    return bool(llm.errored) or any(not process.is_alive() for process in processes(llm))


def how_it_ended(llm: AsyncLLM, errors: ErrorLog) -> str:
    """Blocks for a moment: a process that ends lets go of its connections, by which its end is seen, before it has an exit code."""
    until = monotonic() + REAPED
    while processes(llm) and all(process.exitcode is None for process in processes(llm)) and monotonic() < until:
        sleep(0.02)
    ends = [f"{process.name} {_end(process.exitcode)}" for process in processes(llm) if process.exitcode is not None]
    return ": ".join(filter(None, [", ".join(ends) or "vLLM's engine reports an error", errors.root_cause(RECENT)]))


def _end(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
