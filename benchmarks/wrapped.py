"""Fireside's routes behind BentoML's default wrappers, which api/lane.py goes around: `bentoml serve benchmarks.wrapped:Wrapped`."""

from __future__ import annotations

import bentoml

from service import app, runtime


@bentoml.service(name="wrapped")
@bentoml.asgi_app(app, path="/", name="api")
class Wrapped:
    @bentoml.on_startup
    async def start(self) -> None:
        await runtime.start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        await runtime.stop()

    async def __is_ready__(self) -> bool:
        return runtime.ready()
