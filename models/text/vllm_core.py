"""vLLM's processes end with the server, be it killed. vLLM alone (0.32.0) leaves EngineCore behind then, with the memory of its GPU. And
nothing of what they share outlives them.

vLLM starts its processes on two functions, by their names in their classes: here are ours in their place. This file is imported first of
all in those processes, and imports vLLM only where it runs it.
"""

from __future__ import annotations

import os
from multiprocessing import resource_tracker
from typing import Any

from models.parent import end_with_parent

_vllms: dict[str, Any] = {}
"""What stood in the place of ours; a process that was spawned, not forked, has vLLM's own still."""


def tie() -> None:
    """For EngineCores that are started from now on, on a thread that lasts."""
    from vllm.v1.engine.coordinator import DPCoordinatorProc
    from vllm.v1.engine.core import EngineCoreProc

    _replace(DPCoordinatorProc, "run_coordinator", run_coordinator)
    _replace(EngineCoreProc, "run_engine_core", run_engine_core)


def run_coordinator(*args: Any, **kwargs: Any) -> None:
    end_with_parent()
    from vllm.v1.engine.coordinator import DPCoordinatorProc

    _vllms.get("run_coordinator", DPCoordinatorProc.run_coordinator)(*args, **kwargs)


def run_engine_core(*args: Any, **kwargs: Any) -> None:
    end_with_parent()
    _track_alone()
    from vllm.v1.engine.core import EngineCoreProc
    from vllm.v1.executor.multiproc_executor import WorkerProc

    _replace(WorkerProc, "worker_main", worker_main)
    _vllms.get("run_engine_core", EngineCoreProc.run_engine_core)(*args, **kwargs)


def _track_alone() -> None:
    """Python's tracker removes shared memory and semaphores once no process that it serves is left: one for EngineCore and what it starts,
    instead of the server's, does so where they were killed. Else each death would leave its own until the server ends."""
    tracker: Any = resource_tracker._resource_tracker
    if tracker._fd is not None:
        os.close(tracker._fd)
    tracker._fd = tracker._pid = None  # it starts one when it is first needed


def worker_main(*args: Any, **kwargs: Any) -> None:
    end_with_parent()
    from vllm.v1.executor.multiproc_executor import WorkerProc

    _vllms.get("worker_main", WorkerProc.worker_main)(*args, **kwargs)


def _replace(owner: Any, name: str, ours: Any) -> None:
    vllms = getattr(owner, name)
    if vllms is not ours:
        _vllms[name] = vllms
        setattr(owner, name, staticmethod(ours))
