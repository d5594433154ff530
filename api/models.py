"""GET /v1/models: everything this server answers for: text, speech and listening."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter

from api.metrics import CountedRoute
from api.runtime import Runtime
from models.errors import NotReady, UnknownModel

LONGEST = 200
"""Characters of an unknown name that are told."""


def router(runtime: Runtime) -> APIRouter:
    routes = APIRouter(route_class=CountedRoute)
    born = int(time.time())

    @routes.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": list(_models(runtime, born))}

    @routes.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        for entry in _models(runtime, born):
            if name == entry["id"] or name in entry["aliases"]:
                return entry
        told = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
        raise UnknownModel(f"The model `{told}` does not exist: GET /v1/models lists those that do.", param="model")

    return routes


def _models(runtime: Runtime, born: int) -> list[dict[str, Any]]:
    """Text has its name from the beginning; what speaks and listens is known once it is loaded."""
    models = [_entry(runtime.text.engine.name, "text", runtime.settings.aliases.text, born)] if runtime.text else []
    with suppress(NotReady):
        catalog, _ = runtime.require_speech()
        models += [_entry(name, "speech", catalog.aliases_of(name), born) for name in catalog.models()]
    with suppress(NotReady):
        models.append(_entry(runtime.require_listening().model, "listening", runtime.settings.aliases.listening, born))
    return models


def _entry(name: str, kind: str, aliases: tuple[str, ...], born: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": born, "owned_by": "fireside", "kind": kind, "aliases": list(aliases)}
