"""The memory of the machine, and what of it is taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from models import devices


@dataclass
class Machine:
    """Memory in bytes, read at most once a second however many ask, and off the event loop: a driver may take its time."""

    reading: dict[str, Any] = field(default_factory=dict)
    at: float = -1.0

    async def read(self) -> dict[str, Any]:
        if not self.reading or monotonic() - self.at >= 1:
            self.at = monotonic()
            self.reading = await asyncio.to_thread(_machine)
        return self.reading


def _machine() -> dict[str, Any]:
    gpus = [{"name": gpu.name, "used": gpu.total - gpu.free, "total": gpu.total} for gpu in devices.gpus()]
    return {"memory": {"used": devices.resident(), "total": devices.ram()}, "gpus": gpus}
