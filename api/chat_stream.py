"""A conversation put to the text engine's own chat route from within: tools, templates and reasoning as its clients get them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from api import entries
from api.patience import HEEDED
from api.streaming import cancel
from models.base import ASGIApp, TextEngine
from models.errors import ContextTooLong, EngineDied, EngineFailed, FiresideError, InvalidInput, NotReady, Overloaded, UnknownModel

ROUTE = "/v1/chat/completions"
_EVENT = b"data: "
_DONE = b"data: [DONE]"
_DEATHS = (503, "engine_died")
"""What an engine's death is called in mid-answer: by vLLM, and by the mock."""
_TOO_LONG = ("maximum context length", "maximum model length")
"""What vLLM calls it, in its renderer and in its engine: there is nothing else to know such a refusal by."""


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """A piece of the call `index`; its first has `call_id` and `name`."""

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What came with one chunk; `raw` is the chunk itself. The last has `usage`."""

    raw: dict[str, Any]
    text: str = ""
    tools: tuple[ToolDelta, ...] = ()
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None


async def chat(engine: TextEngine, body: dict[str, Any], request_id: str) -> AsyncGenerator[Delta, None]:
    """The deltas of one answer to `body`, a chat completion request, as they are made; closing it aborts the request at once.

    Raises what the route refuses at the first `anext`, EngineFailed on the way, and of these EngineDied where the engine has.
    """
    entries.current().model = engine.name
    asked = body | {"stream": True, "stream_options": {"include_usage": True}}
    async with aclosing(_answer(engine.app, orjson.dumps(asked), request_id)) as chunks:
        async for chunk in chunks:
            yield _delta(chunk)


async def _answer(app: ASGIApp, body: bytes, request_id: str) -> AsyncGenerator[dict[str, Any], None]:
    sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    left = asyncio.Event()
    call = asyncio.create_task(_call(app, body, request_id, sent, left))
    try:
        status, rest, whole = 0, b"", False
        while (message := await sent.get()) is not None:
            if message["type"] == "http.response.start":
                status = message["status"]
                continue
            rest += message.get("body", b"")
            if status >= 400:
                continue
            *events, rest = rest.split(b"\n\n")
            for event in events:
                if event == _DONE:
                    whole = True
                elif event.startswith(_EVENT):
                    yield _checked(event.removeprefix(_EVENT))
        if status >= 400:
            raise _refusal(status, rest)
        call.result()
        if not whole:
            raise EngineFailed("the text engine ended its answer before it was whole")
    finally:
        left.set()  # vLLM, cancelled before its answer has begun, would go on with it
        try:
            await asyncio.wait({call}, timeout=HEEDED)
        finally:
            await cancel(call)


async def _call(app: ASGIApp, body: bytes, request_id: str, sent: asyncio.Queue[dict[str, Any] | None], left: asyncio.Event) -> None:
    asked = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.put_nowait(dict(message))

    try:
        await app(_scope(body, request_id), receive, send)
    finally:
        sent.put_nowait(None)


def _scope(body: bytes, request_id: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"x-request-id", request_id.encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": ROUTE,
        "raw_path": ROUTE.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": None,
        "server": None,
        "state": {},
    }


def _checked(event: bytes) -> dict[str, Any]:
    chunk: dict[str, Any] = orjson.loads(event)
    if error := chunk.get("error"):
        message = str(error.get("message") or "the text engine failed in mid-answer")
        raise EngineDied(message) if error.get("code") in _DEATHS else EngineFailed(message)
    return chunk


def _refusal(status: int, body: bytes) -> FiresideError:
    """The engine's answer as the error it stands for."""
    try:
        told = orjson.loads(body)["error"]
        message, param, code = str(told["message"]), told.get("param"), told.get("code")
    except (ValueError, KeyError, TypeError):
        return EngineFailed(f"the text engine answered with status {status}")
    if status == 503:
        return Overloaded(message) if code == "overloaded" else NotReady(message)
    if status >= 500:
        return EngineFailed(message)
    if status == 404:
        return UnknownModel(message, param=param)
    kind = ContextTooLong if any(words in message for words in _TOO_LONG) else InvalidInput
    return kind(message, param=param)


def _delta(chunk: dict[str, Any]) -> Delta:
    choice: dict[str, Any] = next(iter(chunk.get("choices") or ()), {})
    delta = choice.get("delta") or {}
    tools = tuple(map(_tool, delta.get("tool_calls") or ()))
    return Delta(chunk, delta.get("content") or "", tools, choice.get("finish_reason"), chunk.get("usage"))


def _tool(told: dict[str, Any]) -> ToolDelta:
    function = told.get("function") or {}
    return ToolDelta(told.get("index") or 0, told.get("id") or "", function.get("name") or "", function.get("arguments") or "")
