"""What of BentoML's stack is left in front of its own routes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.lane import Lane

pytestmark = pytest.mark.anyio


def chain(app: Any) -> list[str]:
    names = []
    while app is not None:
        names.append(type(app).__name__)
        app = getattr(app, "wrapped", None) or getattr(app, "app", None)
    return names


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def test_no_request_leaves_a_timer_behind_that_holds_it() -> None:
    middleware = [Middleware(TimeoutMiddleware, timeout=3600), Middleware(Lane, to=FastAPI(), front=lambda app: app)]
    bentoml = Starlette(routes=[Route("/hello", hello)], middleware=middleware)
    stack = bentoml.build_middleware_stack()
    assert "TimeoutMiddleware" in chain(stack)
    bentoml.middleware_stack = None
    messages = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: Any) -> None:
        assert message["type"].endswith(".complete")

    await bentoml({"type": "lifespan"}, receive, send)
    assert {"Switch", "Lane"} < set(names := chain(bentoml.middleware_stack))
    assert "TimeoutMiddleware" not in names
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bentoml), base_url="http://here") as client:
        assert (await client.get("/hello")).text == "hello"
