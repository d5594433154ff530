"""How a request for text ends whose engine's app breaks off, or is too slow, as vLLM's does it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.entries import Entry
from api.queue import Queue
from api.text import TextGateway
from models import work
from models.base import ASGIApp
from settings.limits import Limits

pytestmark = pytest.mark.anyio

RESPONSES = "/v1/responses"
EVENTS = ("event: response.created\ndata: {}\n\n", "event: response.output_text.delta\ndata: {}\n\n")


class Ended(Exception):
    http_status = HTTPStatus.SERVICE_UNAVAILABLE


def streaming(error: Exception | None, events: tuple[str, ...] = EVENTS) -> ASGIApp:
    """vLLM's app: it answers for its errors, and cannot once its answer has begun. Without one it falls silent."""

    async def stream() -> AsyncIterator[str]:
        for event in events:
            yield event
        if error is None:
            await asyncio.Event().wait()
        else:
            raise error

    async def respond(request: Request) -> Response:
        await request.body()
        return StreamingResponse(stream(), media_type="text/event-stream")

    async def answered(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 503)

    routes = [Route(path, respond, methods=["POST"]) for path in (RESPONSES, "/v1/messages")]
    return Starlette(routes=routes, exception_handlers={Ended: answered})


async def asked(app: ASGIApp, path: str = RESPONSES, ready: bool = True, limits: Limits | None = None) -> tuple[Entry, str]:
    """How it ended, and what came."""
    status = SimpleNamespace(state="ready" if ready else "failed")
    text = SimpleNamespace(name="m", app=app, status=status, engine=SimpleNamespace(alive=ready))
    runtime: Any = SimpleNamespace(
        settings=SimpleNamespace(limits=limits or Limits()),
        text_queue=Queue(4, 4, 5, "m"),
        text=text,
        require_text=lambda: text,
        loaded_text=lambda: text,
    )
    bodies, messages = [], [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def send(message: Any) -> None:
        bodies.append(message.get("body", b""))

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "asgi": {"spec_version": "2.3"}}
    entry = Entry()
    with work.around(entry):
        await TextGateway(runtime, path)(scope, receive, send)
    assert runtime.text_queue.running == 0
    return entry, b"".join(bodies).decode()


def error_of(came: str) -> dict[str, Any]:
    last = came.rstrip().split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    found: dict[str, Any] = json.loads(last.removeprefix("event: error\ndata: "))
    return found


@pytest.mark.parametrize(
    ("error", "ready", "code", "words"),
    [
        (Ended("killed by SIGKILL"), True, "engine_died", "killed by SIGKILL"),
        (ValueError("a secret"), False, "engine_died", "the language model has ended"),
        (ValueError("a secret"), True, "engine_failed", "broke off in the midst"),
        (HTTPException(500, "a secret"), True, "engine_failed", "broke off in the midst"),
    ],
)
async def test_an_app_that_breaks_off_in_the_midst_ends_with_an_error(error: Exception, ready: bool, code: str, words: str) -> None:
    entry, came = await asked(streaming(error), ready=ready)
    assert entry.outcome == code
    told = error_of(came)
    assert (told["type"], told["code"], told["error"]["code"], told["sequence_number"]) == ("error", code, code, len(EVENTS))
    assert words in told["message"]
    assert told["message"] == told["error"]["message"]
    assert "secret" not in came


@pytest.mark.parametrize("path", [RESPONSES, "/v1/messages"])
async def test_one_that_falls_silent_before_its_first_text_ends_with_an_error_of_its_route(path: str) -> None:
    entry, came = await asked(streaming(None, EVENTS[:1]), path, limits=Limits(total_timeout=0.1))
    assert entry.outcome == "engine_timeout"
    assert error_of(came)["error"]["code"] == "engine_timeout"
    assert "[DONE]" not in came


async def test_one_that_breaks_before_anything_is_no_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await asked(app)
