"""A language model on vLLM: AsyncLLM in this process, EngineCore in its own, vLLM's OpenAI app over the same engine.

vLLM is imported when the engine starts, in a thread and after its environment is set: the import takes seconds, and much of vLLM
reads the environment only then.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from models import heap
from models.base import Load, Receive, Scope, Send, TextChunk, TextRequest
from models.errors import STOPPED, EngineDied, EngineFailed, NotReady, Overloaded, WeightsError
from models.limit import loaded_within
from models.quiet import QUIET
from models.text.vllm_files import Files
from models.text.vllm_log import ErrorLog
from settings import Text

if TYPE_CHECKING:
    from models.text.vllm_death import Alarm
    from models.text.vllm_openai import OpenAIApp
    from models.text.vllm_request import Requests

# Spawn, as vLLM's own server: a fork of a process with threads may hang.
# VLLM_MAX_N_SEQUENCES is the most answers to one request: OpenAI's 128, where vLLM takes 16384, which is minutes of work for one line.
ENVIRONMENT = {**QUIET, "VLLM_MAX_N_SEQUENCES": "128", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
# Else vLLM finds out this machine's address from a socket that it connects to one outside.
ALONE = {"VLLM_HOST_IP": "127.0.0.1"}
ELSEWHERE = {
    "data_parallel_address",
    "data_parallel_backend",
    "distributed_executor_backend",
    "kv_transfer_config",
    "master_addr",
    "nnodes",
}
"""Arguments that may name other machines: what they reach this one by is then vLLM's affair, or the environment's."""
POLL = 0.25
"""Seconds between two looks at what gives no sign by itself."""
PROBE = "fireside-probe"
LAST = 2**31 - 1
"""The priority of what may wait for all others, where vLLM schedules by priority."""
GRACE = 15.0
"""Seconds an idle engine has to release its memory before it is killed. On a busy machine its workers alone take five."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    llm: Any
    requests: Requests
    app: OpenAIApp
    alarm: Alarm


class VllmEngine:
    """models.base.TextEngine on vLLM.

    `path` finds the model's folder, and `memory` gives vLLM's arguments for its share of the GPU; both are asked at each load, `memory`
    just before it, when what the other engines take is known, and only where vLLM runs on a GPU. `settings.args` overrides it.
    """

    def __init__(
        self,
        name: str,
        path: Callable[[], Path],
        settings: Text,
        *,
        aliases: tuple[str, ...] = (),
        memory: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.name = name
        self._aliases = aliases
        self._path = path
        self._settings = settings
        self._memory = memory or dict
        self._loaded: _Loaded | None = None
        self._llm: Any = None
        self._files: Files | None = None
        self._errors: ErrorLog | None = None
        self._killed = ""
        self._death = ""

    async def start(self) -> None:
        if self._llm is not None:
            raise RuntimeError(f"{self.name} is already started")
        self._killed = ""
        await _let_go()  # of one that has died: whoever was in it has heard of its end by now
        try:
            async with loaded_within(self._settings.start_timeout, "text"):
                path = await asyncio.to_thread(self._path)
                _refuse_missing(path)
                await self._open(await self._load(path))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Running generations end with an error; then nothing is left of the engine, and it can be started again."""
        loaded, self._loaded = self._loaded, None
        llm, self._llm = self._llm, None
        death, self._death = self._death, ""
        if loaded is not None:
            loaded.alarm.close()
        if llm is not None:
            from models.text import vllm_death, vllm_load

            await vllm_death.end_requests(llm, death or STOPPED)
            # In a thread: the loop goes on turning, and the errors reach their readers.
            await asyncio.to_thread(llm.shutdown, timeout=GRACE)
            await asyncio.to_thread(vllm_load.close_sockets, llm)
            vllm_load.forget_tokenizers()
        if loaded is not None:
            await loaded.app.close()
        files, self._files, self._errors = self._files, None, None
        if files is not None:
            await asyncio.to_thread(files.close)
        del loaded, llm
        await _let_go()

    async def died(self) -> str:
        while True:
            loaded, errors = self._loaded, self._errors
            if loaded is None or errors is None:
                await asyncio.sleep(POLL)
                continue
            from models.text import vllm_death

            if await loaded.alarm.rung(POLL) or vllm_death.dead(loaded.llm):
                why = self._killed or await asyncio.to_thread(vllm_death.how_it_ended, loaded.llm, errors)
                self._death = f"{self.name} has died ({why}): send this again once it is back"
                return why

    async def kill(self, why: str) -> None:
        if self._loaded is not None:
            from models.text import vllm_death

            self._killed = why
            vllm_death.tell_requests(self._loaded.llm, why)
            await asyncio.to_thread(vllm_death.kill, self._loaded.llm)

    @property
    def progress(self) -> int:
        return self._loaded.llm.outputs.count if self._loaded is not None else 0

    async def probe(self) -> None:
        while True:
            try:
                async for _ in self._generate(PROBE, lambda requests: requests.least(), LAST):
                    pass
                return
            except Overloaded:  # by vLLM's front, in this process: no sign of EngineCore's
                await asyncio.sleep(POLL)

    def load(self) -> Load:
        """From vLLM's own books: waiting until its first token, running after it."""
        if self._loaded is None:
            return Load()
        states = self._loaded.llm.output_processor.request_states.values()
        requests = [request for request in states if request.external_req_id != PROBE]
        waiting = sum(request.is_prefilling for request in requests)
        return Load(running=len(requests) - waiting, waiting=waiting)

    def generate(self, request: TextRequest) -> AsyncGenerator[TextChunk, None]:
        return self._generate(request.request_id, lambda requests: requests.prepare(request))

    async def _generate(
        self, name: str, prepare: Callable[[Requests], Awaitable[tuple[Any, Any]]], priority: int = 0
    ) -> AsyncGenerator[TextChunk, None]:
        from models.text import vllm_death, vllm_request

        loaded = self._require()
        prompt, sampling = await prepare(loaded.requests)
        tokens = 0
        with vllm_request.translated(), vllm_death.ended_is_died():
            async with aclosing(loaded.llm.generate(prompt, sampling, name, priority=priority)) as outputs:
                async for output in outputs:
                    answer = output.outputs[0]
                    tokens += len(answer.token_ids)
                    if answer.finish_reason == "error":
                        raise EngineFailed(f"vLLM could not finish request {name}; send it again")
                    if answer.finish_reason == "abort":  # not by the client: then nobody would be here
                        raise EngineDied(f"vLLM aborted request {name}, as it does when it shuts down; send it again")
                    # A token may be half a character: its text comes with a later one.
                    if answer.text or answer.finish_reason:
                        yield TextChunk(answer.text, tokens, answer.finish_reason)
                        tokens = 0

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._require().app(scope, receive, send)

    @property
    def alive(self) -> bool:
        return self._loaded is not None and not (self._killed or self._death or self._loaded.llm.errored)

    def described(self) -> dict[str, Any]:
        return self._require().app.described

    def _require(self) -> _Loaded:
        if self._loaded is None:
            raise NotReady(f"{self.name} is not loaded; try again later")
        if self._loaded.llm.errored:
            self._loaded.alarm.ring()
            raise NotReady(f"{self.name} has died and is loaded again; try again in a few seconds")
        return self._loaded

    async def _load(self, path: Path) -> argparse.Namespace:
        abandoned = Event()
        # On a thread of the loop's: the engine lives no longer than that.
        loading = asyncio.create_task(asyncio.to_thread(self._load_in_thread, path, abandoned))
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            await self._abandon(loading, abandoned)
            raise

    def _load_in_thread(self, path: Path, abandoned: Event) -> argparse.Namespace:
        set_environment(self._settings)
        from models.text import vllm_load, vllm_openai

        if abandoned.is_set():
            raise EngineFailed(f"the load of {self.name} was called off")
        self._files = files = Files()
        self._errors = errors = ErrorLog(files.folder)
        share = self._memory() if vllm_load.on_gpu() else {}
        given = {**vllm_load.EXTENSION, **share, **self._settings.args}
        args = vllm_openai.parse(given, **self._own(path), **errors.arguments(given))
        # What would name a folder of this machine to others is left alone.
        with nullcontext() if ELSEWHERE & self._settings.args.keys() else files.in_use():
            if not abandoned.is_set():
                self._llm = self._unless(abandoned, vllm_load.load(args, errors))
        return args

    def _unless(self, abandoned: Event, llm: Any) -> Any:
        """Of a load that was called off and went on, where there was no process to end, nobody takes what came of it."""
        if abandoned.is_set():
            llm.shutdown(timeout=GRACE)
            raise EngineFailed(f"the load of {self.name} was called off")
        return llm

    def _own(self, path: Path) -> dict[str, Any]:
        return {
            "model": str(path),
            "served_model_name": [self.name, *self._aliases],
            "shutdown_timeout": math.ceil(self._settings.shutdown_timeout),
        }

    async def _abandon(self, loading: asyncio.Task[argparse.Namespace], abandoned: Event) -> None:
        """A thread cannot be cancelled: end the processes it waits for, until it gives up. While it imports vLLM, for ten seconds or more,
        there are none, and it gives up by itself after that. One that hangs in this process, in a driver or a file, is left to itself."""
        abandoned.set()
        loading.add_done_callback(_failed_as_asked)
        for _ in range(int(GRACE / POLL)):
            if loading.done() or self._files is None:
                return
            from models.text import vllm_load

            await asyncio.to_thread(vllm_load.kill_children)
            await asyncio.wait({loading}, timeout=POLL)

    async def _open(self, args: argparse.Namespace) -> None:
        from models.text import vllm_death

        alarm = vllm_death.Alarm(self._llm)
        try:
            await alarm.unless_rung(self._connect(args, alarm))
        except vllm_death.Rung:
            assert self._errors is not None  # since the load
            why = await asyncio.to_thread(vllm_death.how_it_ended, self._llm, self._errors)
            raise EngineFailed(f"{self.name} has died while it was loaded: {why}") from None
        finally:
            if self._loaded is None:
                alarm.close()

    async def _connect(self, args: argparse.Namespace, alarm: Alarm) -> None:
        from models.text import vllm_death, vllm_load, vllm_openai, vllm_request

        with vllm_request.translated(), vllm_death.ended_is_died():
            await vllm_load.leave_group(self._llm)
            requests = vllm_request.Requests(self._llm, args)
            await asyncio.to_thread(requests.compile_template)
            await self._llm.reset_mm_cache()  # as vLLM's server does: the dummy pictures of its warm-up are not kept
            # vLLM's app collects the whole heap before it freezes it: with it frozen already there is little to collect, and no pause.
            gc.freeze()
            app = await vllm_openai.OpenAIApp.over(self._llm, args, alarm.ring)
            self._loaded = _Loaded(self._llm, requests, app, alarm)
            await requests.warm_up()


async def _let_go() -> None:
    """vLLM's app froze the heap, and the next one's will: what was frozen with the old engine, 50 MB of it, would never be collected."""
    heap.collect()
    await asyncio.to_thread(heap.give_back)


def _failed_as_asked(load: asyncio.Task[Any]) -> None:
    if not load.cancelled():
        load.exception()


def set_environment(text: Text) -> None:
    """Before vLLM is imported. What the process already has wins."""
    alone = {} if ELSEWHERE & text.args.keys() else ALONE
    for name, value in {**ENVIRONMENT, **alone, **text.env}.items():
        os.environ.setdefault(name, value)


def check_arguments(text: Text) -> None:
    """Check `text.args` against vLLM's own arguments without loading anything; takes seconds. SettingsError names the nearest argument.

    Raises ImportError where vLLM is not installed.
    """
    set_environment(text)
    from models.text import vllm_openai

    vllm_openai.parse(text.args)


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise WeightsError(f"no model at {path}: expected a folder with config.json and weights; fetch it with `fireside models pull`")
    if path.is_dir() and not any((path / name).is_file() for name in ("config.json", "params.json")):
        raise WeightsError(f"{path} has no config.json: expected a model folder as the Hugging Face hub has them")
