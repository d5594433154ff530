"""The mock's routes as an OpenAPI document, from the models that their bodies are read with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from models.text.mock_requests import ChatRequest, CompletionRequest, TokenizeRequest

REFERENCE = "#/components/schemas/{model}"
BODIES: dict[str, tuple[type[BaseModel], bool]] = {
    "/v1/chat/completions": (ChatRequest, True),
    "/v1/completions": (CompletionRequest, True),
    "/tokenize": (TokenizeRequest, False),
}
"""And whether it can be streamed."""


def _answered(*, streamed: bool) -> dict[str, Any]:
    events: dict[str, Any] = {"text/event-stream": {}} if streamed else {}
    return {"200": {"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}, **events}}}


def _post(path: str, body: type[BaseModel], *, streamed: bool) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model=body.__name__)}}}
    name = path.strip("/").replace("/", "_")
    return {"post": {"operationId": name, "requestBody": {"required": True, "content": content}, "responses": _answered(streamed=streamed)}}


def _described() -> dict[str, Any]:
    _, schemas = models_json_schema([(body, "validation") for body, _ in BODIES.values()], ref_template=REFERENCE)
    paths = {path: _post(path, body, streamed=streamed) for path, (body, streamed) in BODIES.items()}
    paths["/version"] = {"get": {"operationId": "version", "responses": _answered(streamed=False)}}
    return {"paths": paths, "components": {"schemas": schemas["$defs"]}}


DESCRIBED = _described()
