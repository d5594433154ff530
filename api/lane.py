"""The short way to our routes, around BentoML's wrappers.

BentoML wraps every `send` of every request in a tracing span, a metric and a timer: on a stream of tokens they cost more than the tokens
(docs/architecture.md has the figures). Its timer also waits for ever for a response that nobody is there to hear. So our own routes, which
have their own ids, metrics and limits, take this lane; BentoML's (/generate, /readyz, /metrics, ...) keep its stack. Of that its metrics
have the path of each request for a label: nothing but what has a route there may come to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

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
            _without_timers(bentoml.middleware_stack)
            bentoml.middleware_stack = self.front(Switch(bentoml.middleware_stack, self.to, _paths(bentoml) - _paths(self.to)))
        await self.app(scope, receive, send)


class Switch:
    """To `wrapped` goes what asks for one of `paths`, and the lane tells of all the rest what there is to tell."""

    def __init__(self, wrapped: ASGIApp, lane: ASGIApp, paths: frozenset[str]) -> None:
        self.wrapped = wrapped
        self.lane = lane
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.wrapped if scope.get("path") in self.paths else self.lane)(scope, receive, send)


def _without_timers(app: Any) -> None:
    """BentoML sets a timer for each request, `traffic.timeout` from its beginning, and lets it run when the request is over: 3 kB are held
    until then. Our own limits apply."""
    while (inner := getattr(app, "app", None)) is not None:
        if type(inner).__name__ == "TimeoutMiddleware":
            app.app = inner.app
        else:
            app = inner


def _paths(app: Starlette) -> frozenset[str]:
    """Mounts are none: they lead here, or to files that nobody asks for."""
    return frozenset(route.path for route in app.routes if isinstance(route, Route))
