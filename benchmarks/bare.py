"""What BentoML is measured against: the same apps on the same text engine, for uvicorn alone. The profile has text and no speech.

`sent` replays the bytes that the engine's own app sends, `engine` is that app, `whole` all of Fireside as service.py mounts it, request ids
included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

import settings as configuration
from api.app import create_app
from api.requests import RequestIds
from api.runtime import Runtime
from benchmarks.outer import WithLife
from models import loader
from models.base import Receive, Scope, Send

_settings = configuration.load()
_runtime = Runtime(_settings, text=loader.hosts(_settings)[0], speech=None)


@asynccontextmanager
async def _life(_: Starlette) -> AsyncIterator[None]:
    for _kind, host in _runtime.hosts():
        host.start()
        await host.wait_ready()
    yield
    await _runtime.stop()


async def _engine(scope: Scope, receive: Receive, send: Send) -> None:
    await _runtime.require_text().app(scope, receive, send)


async def _bytes(scope: Scope, receive: Receive, send: Send) -> None:
    """What the engine's app sends, made once: uvicorn and nothing else."""
    if scope["path"] != CHAT:
        await _engine(scope, receive, send)
        return
    body = (await receive())["body"]
    if body not in _replays:
        _replays[body] = await _recorded(scope, body)
    for message in _replays[body]:
        await asyncio.sleep(0)  # others run between two tokens, as in the mock
        await send(message)


async def _recorded(scope: Scope, body: bytes) -> list[Any]:
    messages: list[Any] = []
    came = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        for message in came:
            return message
        return await asyncio.get_running_loop().create_future()  # a client that stays

    async def send(message: Any) -> None:
        messages.append(message)

    await _engine(scope, receive, send)
    return messages


CHAT = "/v1/chat/completions"
_replays: dict[bytes, list[Any]] = {}
sent = WithLife(_bytes, _life)
engine = WithLife(_engine, _life)
whole = WithLife(RequestIds(Starlette(routes=[Mount("/", create_app(_runtime))])), _life)
