"""What this machine has: GPUs by NVML, processors, memory. Nothing here starts CUDA."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import EngineFailed

OWN_GROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class GPU:
    """Memory in bytes, as it is now, whoever uses it."""

    index: int
    name: str
    free: int
    total: int


def gpus() -> tuple[GPU, ...]:
    """Every NVIDIA GPU that CUDA_VISIBLE_DEVICES lets this process use, in its order; none without a driver.

    Raises EngineFailed where the driver fails: nothing runs on it then. One that hangs does not return.
    """
    try:
        import pynvml
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(pynvml, index) for index in _visible(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError as error:
        raise EngineFailed(f"the driver of the GPU fails: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def _visible(count: int) -> list[int]:
    """Indices; a list of UUIDs is left to CUDA, and every GPU is shown."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None or not all(part.strip().isdigit() for part in named.split(",") if part.strip()):
        return list(range(count))
    return [index for part in named.split(",") if part.strip() and (index := int(part)) < count]


def _gpu(nvml: Any, index: int) -> GPU:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return GPU(index=index, name=str(nvml.nvmlDeviceGetName(handle)), free=int(memory.free), total=int(memory.total))


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def ram() -> int:
    """Bytes of memory that this process may use: the machine's, or what its control group (a container's, a unit's) has of it."""
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits()])


def _limits() -> Iterator[int]:
    """Of the groups this process is in, from its own to the root, which a container has of its own, whatever that is called outside."""
    with suppress(OSError):
        for line in OWN_GROUP.read_text().splitlines():
            if line.startswith("0::/"):  # version 2
                own = GROUPS / line.removeprefix("0::/")
                yield from filter(None, map(_limit, (own, *own.parents)))


def _limit(group: Path) -> int | None:
    with suppress(OSError, ValueError):  # no group, or "max"
        return int((group / "memory.max").read_text())
    return None


def resident() -> int:
    """Bytes of memory of this process and all below it. Pages that several of them share count for each."""
    return sum(_resident(pid) for pid in _family(os.getpid()))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
