"""An app for uvicorn alone: its lifespan in one place, its requests in another, and no router in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.applications import Starlette

from models.base import ASGIApp, Receive, Scope, Send

Life = Callable[[Starlette], AbstractAsyncContextManager[None]]


class WithLife:
    def __init__(self, app: ASGIApp, life: Life) -> None:
        self.app = app
        self.life: Any = Starlette(lifespan=life)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.life if scope["type"] == "lifespan" else self.app)(scope, receive, send)
