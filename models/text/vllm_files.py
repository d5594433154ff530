"""What vLLM's processes make beside the model's folder: the files of their sockets, and memory that they share. A process that is killed
leaves it, and a server that reloads its engine for weeks would fill the machine.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import psutil

SOCKETS = "VLLM_RPC_BASE_PATH"
SHARED = Path("/dev/shm")
_LONGEST = 107 - len("/") - 36
"""Bytes of a folder in which a socket may be named by an UUID, as vLLM's are."""


class Files:
    """Of one load of the engine. Sockets are in a folder of its own, unless the user has said where they are to be."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fireside-vllm-", ignore_cleanup_errors=True)
        self._shared: set[int] = set()
        self._ours = SOCKETS not in os.environ and len(os.fsencode(self._folder.name)) <= _LONGEST
        if self._ours:
            os.environ[SOCKETS] = self._folder.name

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    def note_shared(self) -> None:
        """Note the memory that the engine's processes share by now: once they are killed nothing tells it."""
        for process in _processes():
            self._shared |= _shared(process.pid)

    def kill(self) -> None:
        """Kill the engine's processes: the only way to end a load that waits for them.

        A worker of EngineCore's that still imports does not see its parent die.
        """
        self.note_shared()
        for process in _processes():
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                process.kill()

    def close(self) -> None:
        """Once the engine's processes have ended: nothing of theirs is left."""
        if self._ours:
            os.environ.pop(SOCKETS, None)
        self._folder.cleanup()
        for entry in list(os.scandir(SHARED)) if self._shared else ():
            if entry.inode() in self._shared:
                _unlink(entry.name)


def _processes() -> Iterator[psutil.Process]:
    """EngineCores that this process has started, and theirs."""
    for child in multiprocessing.active_children():
        if child.name.startswith("EngineCore") and child.pid is not None:
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                core = psutil.Process(child.pid)
                yield from (core, *core.children(recursive=True))


def _shared(pid: int) -> set[int]:
    """The inodes of what a process has of /dev/shm under the names of Python's own: a semaphore is mapped under another one."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return set()
    mapped = (line.split(maxsplit=5) for line in maps.splitlines() if f" {SHARED}/" in line)
    return {int(fields[4]) for fields in mapped if Path(fields[5]).name.startswith(("psm_", "sem."))}


def _unlink(name: str) -> None:
    with suppress(FileNotFoundError):
        if name.startswith("sem."):
            (SHARED / name).unlink()
            return
        memory = SharedMemory(name)
        memory.close()
        memory.unlink()  # and Python's own tracker of such memory no longer waits for it
