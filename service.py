"""The composition root: settings -> engines -> app -> one BentoML service."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import bentoml
from pydantic import ValidationError

import settings as configuration
from api import errors, metrics
from api import generate as generation
from api.app import create_app
from api.lane import Lane
from api.requests import RequestIds
from api.runtime import Runtime
from models import loader

settings = configuration.load()
loader.quiet()
hosts = loader.hosts(settings)
runtime = Runtime(settings, text=hosts.text, speech=hosts.speech, listening=hosts.listening)
app = create_app(runtime)
# BentoML shows warnings only, other than its own loggers'.
for ours in ("api", "models", "voice"):
    logging.getLogger(ours).setLevel(logging.INFO)


def _no_refusal(record: logging.LogRecord) -> bool:
    """BentoML logs each body that does not fit, as an error and with what is in it. The client is told, and the log is not for that."""
    return not (record.exc_info and isinstance(record.exc_info[1], ValidationError))


logging.getLogger("bentoml._internal.server.http_app").addFilter(_no_refusal)


@bentoml.service(
    name="fireside",
    # Our own limits apply: this one counts until the first byte only, and a prompt may wait for its turn.
    traffic={"timeout": 3600},
    # /generate streams too, and a span for each chunk would cost more than the chunk: see api/lane.py.
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(app, path="/", name="api")
class Fireside:
    @bentoml.on_startup
    async def start(self) -> None:
        await runtime.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await runtime.stop()

    async def __is_ready__(self) -> bool:
        return runtime.ready()

    async def __metrics__(self, content: str) -> str:
        return content + metrics.gauges(runtime)

    @bentoml.api(route="/generate", input_spec=generation.GenerateRequest)
    async def generate(self, ctx: bentoml.Context, **fields: Any) -> AsyncGenerator[str, None]:
        """Stream the text that follows a prompt, or that answers a conversation."""
        try:
            async with aclosing(generation.generate(runtime, generation.GenerateRequest(**fields), ctx.request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:  # the first item is awaited before BentoML answers: its status can still be set
            ctx.response.status_code = errors.refusal(error).status
            ctx.response.metadata.update({"Content-Type": "application/json", **errors.headers(error)})
            yield errors.text(error)


Fireside.add_asgi_middleware(RequestIds)  # type: ignore[attr-defined]  # mypy does not see what a class decorator returns
Fireside.add_asgi_middleware(generation.OnlyJson)  # type: ignore[attr-defined]
Fireside.add_asgi_middleware(Lane, to=app)  # type: ignore[attr-defined]
