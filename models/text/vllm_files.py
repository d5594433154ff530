"""The folder of one load of vLLM's engine: what its processes leave of sockets and temporary files where they are killed goes with it.

Without it every death of EngineCore leaves nine files in the machine's own folder for such things.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKETS = "VLLM_RPC_BASE_PATH"
TEMPORARY = "TMPDIR"
_LONGEST = 107 - len("/") - 36
"""Bytes of a folder in which a socket may be named by an UUID, as vLLM's are."""


class Files:
    def __init__(self) -> None:
        self._folder = self._sockets = _folder()
        if SOCKETS not in os.environ and len(os.fsencode(self._folder.name)) > _LONGEST:
            self._sockets = _folder("/tmp")

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """By processes that are started meanwhile. Sockets are where the user has said that they are to be."""
        before = os.environ.get(TEMPORARY)
        ours = SOCKETS not in os.environ
        os.environ[TEMPORARY] = self._folder.name
        if ours:
            os.environ[SOCKETS] = self._sockets.name
        try:
            yield
        finally:
            _set(TEMPORARY, before)
            if ours:
                del os.environ[SOCKETS]

    def close(self) -> None:
        """Once the engine's processes have ended."""
        self._folder.cleanup()
        self._sockets.cleanup()


def _folder(within: str | None = None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fireside-vllm-", dir=within, ignore_cleanup_errors=True)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
