"""The composition root: settings -> engines -> app -> one BentoML service."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import bentoml
from bentoml._internal.utils.analytics import usage_stats

import settings as configuration
from api import errors, gauges, logs, protocol, traces
from api import generate as generation
from api.app import create_app, in_front
from api.lane import Lane
from api.runtime import Runtime
from models import loader
from models.quiet import quiet

settings = configuration.load()
quiet()
# `bentoml serve` has asked before it came here, and remembers the answer.
usage_stats.do_not_track.cache_clear()
protocol.install(settings.limits)
hosts = loader.hosts(settings)
runtime = Runtime(settings, text=hosts.text, speech=hosts.speech, listening=hosts.listening)
app = create_app(runtime)
spans = traces.install(settings.traces)
logs.install(settings.logs)


@bentoml.service(
    name="fireside",
    # For clients of other services. Here our own limits apply, see api/lane.py: a prompt may wait for its turn.
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
        # All that was imported is here to stay: the garbage collector need not look through it, amid the tokens of all.
        gc.freeze()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await runtime.stop()
        if spans:
            await asyncio.to_thread(spans.close)

    async def __is_ready__(self) -> bool:
        return runtime.ready()

    async def __metrics__(self, content: str) -> str:
        return content + await gauges.gauges(runtime)

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


# mypy does not see what a class decorator returns.
Fireside.add_asgi_middleware(generation.OnlyJson)  # type: ignore[attr-defined]
Fireside.add_asgi_middleware(Lane, to=app, front=partial(in_front, settings=settings))  # type: ignore[attr-defined]
