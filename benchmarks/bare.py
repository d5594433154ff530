"""What BentoML is measured against: the same apps on the same text engine, for uvicorn alone. The profile has text and no speech.

`engine` is the text engine's own app, `whole` all of Fireside as service.py mounts it, request ids included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

import settings as configuration
from api.app import create_app
from api.requests import RequestIds
from api.runtime import Runtime
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


class _WithLife:
    """The lifespan of an outer app and the requests of an inner one: no router in between."""

    def __init__(self, app: object) -> None:
        self.app = app
        self.life = Starlette(lifespan=_life)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.life if scope["type"] == "lifespan" else self.app)(scope, receive, send)  # type: ignore[operator]


engine = _WithLife(_engine)
whole = _WithLife(RequestIds(Starlette(routes=[Mount("/", create_app(_runtime))])))
