"""GET /v1/status: each engine's life and load, and the machine's memory, for people and for what waits until the server is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from fastapi import APIRouter

from api.metrics import CountedRoute
from api.runtime import Runtime
from models import devices
from models.base import Load


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=CountedRoute)
    machine = Machine()

    @routes.get("/v1/status")
    async def status() -> dict[str, Any]:
        return {"ready": runtime.ready(), "engines": _engines(runtime), "machine": await machine.read()}

    return routes


def _engines(runtime: Runtime) -> dict[str, dict[str, Any]]:
    loads = {kind: load for kind, _, load in runtime.loads()}
    return {kind: _engine(kind, host, loads.get(kind, Load())) for kind, host in runtime.hosts()}


def _engine(kind: str, host: Any, load: Load) -> dict[str, Any]:
    state = {"state": host.status.state, "detail": host.status.detail, "seconds": round(monotonic() - host.status.since, 1)}
    return {"kind": kind, "name": host.engine.name, **state, "running": load.running, "waiting": load.waiting}


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
