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
_LONGEST = 107 - len("/fireside-vllm-12345678/") - 36
"""Bytes of a folder, in a folder of which a socket may be named by an UUID, as vLLM's are."""


class Files:
    def __init__(self) -> None:
        short = len(os.fsencode(tempfile.gettempdir())) <= _LONGEST
        self._folder = tempfile.TemporaryDirectory(prefix="fireside-vllm-", dir=None if short else "/tmp", ignore_cleanup_errors=True)

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
            os.environ[SOCKETS] = self._folder.name
        try:
            yield
        finally:
            _set(TEMPORARY, before)
            if ours:
                del os.environ[SOCKETS]

    def close(self) -> None:
        """Once the engine's processes have ended."""
        self._folder.cleanup()


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
