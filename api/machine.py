"""The memory of the machine, and what of it is taken."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any

from models import devices
from models.errors import EngineFailed

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds that who asks waits for a new reading; then the last one has to do."""


class Machine:
    """Memory in bytes, read at most once a second however many ask. The driver of a GPU may take its time, or never come back: then one
    thread waits for it, and nobody else."""

    def __init__(self) -> None:
        self.reading: dict[str, Any] = {"memory": {"used": 0, "total": devices.ram()}, "gpus": []}
        self.at = float("-inf")
        self._next: asyncio.Future[dict[str, Any]] | None = None

    async def read(self) -> dict[str, Any]:
        if self._next is None and monotonic() - self.at >= 1:
            self._begin()
        if (reading := self._next) is not None:
            await asyncio.wait({reading}, timeout=PATIENCE)
            if not reading.done():
                log.error("for %.0f s the memory of this machine could not be read: the driver of its GPU hangs", monotonic() - self.at)
        return self.reading

    def _begin(self) -> None:
        self.at = monotonic()
        reading: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        reading.add_done_callback(self._done)
        # A daemon: one that hangs does not keep the process from its end.
        Thread(target=_tell, args=(reading,), name="machine", daemon=True).start()
        self._next = reading

    def _done(self, reading: asyncio.Future[dict[str, Any]]) -> None:
        self.reading, self._next = reading.result() or self.reading, None


def _tell(asked: asyncio.Future[dict[str, Any]]) -> None:
    reading: dict[str, Any] = {}
    try:
        reading = _machine()
    except Exception:
        log.exception("the memory of this machine could not be read")
    finally:
        with suppress(RuntimeError):  # its loop has ended meanwhile
            asked.get_loop().call_soon_threadsafe(asked.set_result, reading)


def _machine() -> dict[str, Any]:
    try:
        gpus = devices.gpus()
    except EngineFailed as error:
        log.error("%s", error)
        gpus = ()
    told = [{"name": gpu.name, "used": gpu.total - gpu.free, "total": gpu.total} for gpu in gpus]
    return {"memory": {"used": devices.resident(), "total": devices.ram()}, "gpus": told}
