"""A server to talk with, in a process of its own: the mock engines, a listener among them. `python -m tests.talking PORT`"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.routing import Mount

from api.app import create_app
from api.requests import RequestIds
from api.runtime import Runtime
from models import loader
from models.host import EngineHost
from models.listening.engine import WorkerListeningEngine
from settings import MockText, Settings, Text
from tests.servers import ROOT, Server, free_port

HEARD = ("Tell me of the fire.", "Stop, please.")
# Long enough to be interrupted.
SAID = ("The fire burns low and even, " * 8 + "and it keeps you warm. All night.", "Gladly.")


@contextmanager
def talking() -> Iterator[Server]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as sink:
            command = [sys.executable, "-m", "tests.talking", str(port)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            server.wait("/", 200, 30)
            yield server
        finally:
            server.stop()


def app() -> FastAPI:
    settings = Settings(text=Text(mock=MockText(replies=SAID)))
    text, speech = loader.hosts(settings)
    listener = WorkerListeningEngine("listening", "models.listening.mock:MockListener", {"replies": list(HEARD)}, start_timeout=60)
    runtime = Runtime(settings, text=text, speech=speech, listening=EngineHost(listener))

    @asynccontextmanager
    async def life(_: FastAPI) -> Iterator[None]:
        await runtime.start()
        for _, host in runtime.hosts():
            await host.wait_ready()
        yield
        await runtime.stop()

    served = FastAPI(lifespan=life, routes=[Mount("/", create_app(runtime))])
    served.add_middleware(RequestIds)
    return served


if __name__ == "__main__":
    uvicorn.run(app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
