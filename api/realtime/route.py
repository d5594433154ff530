"""Where realtime sessions begin."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from api.realtime.answer import ROUTE
from api.realtime.session import RealtimeSession
from api.runtime import Runtime


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter()

    @routes.websocket(ROUTE)
    async def realtime(websocket: WebSocket) -> None:
        await RealtimeSession(runtime, websocket).run()

    return routes
