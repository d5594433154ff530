"""GET /v1/status: each engine's life, for people and for what waits until the server is ready."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.metrics import CountedRoute
from api.runtime import Runtime


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=CountedRoute)

    @routes.get("/v1/status")
    async def status() -> dict[str, Any]:
        engines = {kind: {"state": host.status.state, "detail": host.status.detail} for kind, host in runtime.hosts()}
        return {"ready": runtime.ready(), "engines": engines}

    return routes
