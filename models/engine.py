"""An engine that lives in a worker process: what those for speech and for listening have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from models.errors import NotReady
from models.process import Kind, WorkerProcess


class WorkerEngine:
    """`loads` is `package.module:Class`, called in the worker with `config`: JSON values only, or who gives them at each start.
    `start_timeout` in seconds; a worker of which one step takes more than `step_timeout` hangs, and dies.

    `died` returns when the worker process ends; who restarts it calls `stop` and `start`. Jobs in it get EngineDied, those that
    come meanwhile NotReady.
    """

    kind: ClassVar[Kind]

    def __init__(
        self,
        name: str,
        loads: str,
        config: dict[str, Any] | Callable[[], dict[str, Any]],
        start_timeout: float = 300,
        env: dict[str, str] | None = None,
        *,
        step_timeout: float = 600,
    ) -> None:
        self.name = name
        self._loads = loads
        self._config = config
        self._start_timeout = start_timeout
        self._step_timeout = step_timeout
        self._env = env or {}
        self._worker: WorkerProcess | None = None

    async def start(self) -> None:
        await self.stop()
        config = await asyncio.to_thread(self._config) if callable(self._config) else self._config
        self._worker = await WorkerProcess.start(
            self.kind, self._loads, config, self._start_timeout, self._env, step_timeout=self._step_timeout
        )

    async def stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def died(self) -> str:
        worker = self._worker
        why = await worker.died() if worker is not None else ""
        if worker is None or worker is not self._worker:
            await asyncio.Event().wait()  # stopped, not dead
        return why

    async def kill(self, why: str) -> None:
        if self._worker is not None:
            self._worker.kill(why)

    @property
    def progress(self) -> int:
        return self._worker.frames if self._worker is not None else 0

    @property
    def pid(self) -> int | None:
        """Of the worker process; None while there is none."""
        return self._worker.pid if self._worker is not None else None

    @property
    def device(self) -> str:
        """Where it runs, in words; empty before it is ready."""
        return str(self._ready().get("device", ""))

    def _ready(self) -> dict[str, Any]:
        """What the worker said once it was loaded; empty before."""
        return self._worker.ready if self._worker is not None else {}

    def _alive(self) -> WorkerProcess:
        worker = self._worker
        if worker is None or not worker.alive:
            raise NotReady(f"the {self.kind.name} engine {self.name!r} is starting or being restarted: try again in a few seconds")
        return worker
