"""The short way to our routes, around BentoML's wrappers.

BentoML wraps every `send` of every request in a tracing span, a metric and a timer: on a stream of tokens they cost more than the tokens
(docs/architecture.md has the figures). Its timer also waits for ever for a response that nobody is there to hear. So our own routes, which
have their own ids, metrics and limits, take this lane; BentoML's (/generate, /readyz, /metrics, ...) keep its stack.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from models.base import ASGIApp, Receive, Scope, Send


class Lane:
    """ASGI middleware for BentoML's app. At start-up it puts a switch in front of the whole stack, and `front` before that."""

    def __init__(self, app: ASGIApp, *, to: FastAPI, front: Callable[[ASGIApp], ASGIApp]) -> None:
        self.app = app
        self.to = to
        self.front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            bentoml = scope["app"]
            bentoml.middleware_stack = self.front(Switch(bentoml.middleware_stack, self.to, _paths(self.to)))
        await self.app(scope, receive, send)


class Switch:
    def __init__(self, wrapped: ASGIApp, lane: ASGIApp, paths: frozenset[str]) -> None:
        self.wrapped = wrapped
        self.lane = lane
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        ours = path in self.paths or path.startswith("/v1/")
        await (self.lane if ours else self.wrapped)(scope, receive, send)


def _paths(app: FastAPI) -> frozenset[str]:
    return frozenset(getattr(route, "path", "") for route in app.routes)
