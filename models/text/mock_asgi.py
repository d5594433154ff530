"""The little of HTTP that the mock's routes need, straight on ASGI: a chunk is one `send`, and a client that leaves ends the work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import orjson

from models.base import Receive, Scope, Send
from models.errors import FiresideError, InvalidInput, NotReady, Overloaded, UnknownModel
from models.text.mock_requests import Malformed

JSON = b"application/json"
SSE = b"text/event-stream; charset=utf-8"


T = TypeVar("T")


class ClientLeft(Exception):
    """Before the answer had begun."""


def header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def check_content_type(scope: Scope) -> None:
    if header(scope, b"content-type").lower().split(";")[0].strip() != "application/json":
        raise Malformed("1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed")


async def read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def begin(send: Send, status: int, content_type: bytes, length: int | None = None) -> None:
    headers = [(b"content-type", content_type)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def answer_nobody(send: Send) -> None:
    """An answer after the client has left: middleware, such as BentoML's time limit, waits for one to let the request go. nginx's 499."""
    await answer(send, 499, b"{}")


async def answer(send: Send, status: int, body: bytes) -> None:
    await begin(send, status, JSON, len(body))
    await send({"type": "http.response.body", "body": body})


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work, or drop it when the client leaves, and give None; what the work holds is released before this returns."""
    task, left = asyncio.ensure_future(work), asyncio.ensure_future(_leaves(receive))
    try:
        await asyncio.wait((task, left), return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        task.cancel()
        await asyncio.wait((task, left))
    return None if task.cancelled() else task.result()


async def _leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def error_of(error: FiresideError) -> tuple[int, bytes]:
    """Status and body, in the shape and with the names that vLLM uses."""
    status, kind = _classified(error)
    details = {"message": str(error), "type": kind, "param": getattr(error, "param", None), "code": status}
    return status, orjson.dumps({"error": details})


def _classified(error: FiresideError) -> tuple[int, str]:
    if isinstance(error, UnknownModel):
        return 404, "NotFoundError"
    if isinstance(error, Malformed):
        return 400, "Bad Request"
    if isinstance(error, InvalidInput):
        return 400, "BadRequestError"
    return (503, "ServiceUnavailableError") if isinstance(error, NotReady | Overloaded) else (500, "InternalServerError")
