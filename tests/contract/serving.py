"""An ASGI app on a free loopback port, in a thread of its own, as a client meets it."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from models.base import TextEngine

PATIENCE = 30


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def serve(engine: TextEngine) -> Iterator[str]:
    """The engine's own app, started and stopped with the server; yields the base URL."""

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await engine.start()
        yield
        await engine.stop()

    app = Starlette(routes=[Mount("/", app=engine.app)], lifespan=life)
    server = Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.up.wait(PATIENCE), "the server did not start"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
