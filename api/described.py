"""GET /openapi.json: every route as it is. Those of the text engine as it describes them itself, and /generate, which is BentoML's.

Sockets have no place in OpenAPI: docs/ has a page for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.chat_audio import AudioWanted
from api.chat_stream import ROUTE as CHAT
from api.generate import GenerateRequest
from api.runtime import Runtime
from api.text import ROUTES
from models.errors import NotReady

REFERENCE = "#/components/schemas/{model}"
Page = dict[str, Any]


class Fault(BaseModel):
    """OpenAI's. The text engine's own routes tell the status as `code`."""

    message: str
    type: str
    param: str | None = None
    code: str | int | None = None


class Refusal(BaseModel):
    error: Fault


class BentoRefusal(BaseModel):
    """Of a body that is none, in the form that BentoML's clients read."""

    error: str
    detail: list[dict[str, Any]]


class Spoken(BaseModel):
    """What a chat can ask for beside what the text engine knows: docs/chat-audio.md."""

    modalities: list[Literal["text", "audio"]] | None = None
    audio: AudioWanted | None = None


SCHEMAS: tuple[type[BaseModel], ...] = (Refusal, BentoRefusal, Spoken, GenerateRequest)
REFUSED = {"4XX": "What was asked cannot be done as it stands.", "5XX": "The engine is not there, is full, or has failed."}


class Description:
    """In the place of FastAPI's own. It is made anew when the text engine has come, or gone."""

    def __init__(self, app: FastAPI, runtime: Runtime) -> None:
        self.app = app
        self.runtime = runtime
        self._made: tuple[Page | None, Page] | None = None

    def __call__(self) -> Page:
        text = self._text()
        if self._made is None or self._made[0] is not text:
            self._made = text, self._page(text or {})
        return self._made[1]

    def _text(self) -> Page | None:
        try:
            return self.runtime.require_text().described()
        except NotReady:
            return None

    def _page(self, text: Page) -> Page:
        page = get_openapi(title=self.app.title, version=self.app.version, routes=self.app.routes)
        page["paths"] |= {"/generate": _generate(), **_of_engine(text)}
        for operation in _operations(page):
            operation["responses"].pop("422", None)  # FastAPI's own, which api/errors.py makes a 400
            operation["responses"] |= {status: told for status, told in _refused().items() if status not in operation["responses"]}
        page["components"] = {"schemas": _schemas(page, text)}
        return page


def _operations(page: Page) -> Iterator[Page]:
    for methods in page["paths"].values():
        yield from methods.values()


def _of_engine(text: Page) -> Page:
    """Its paths that are served here; what a chat says of audio is ours."""
    paths = {path: dict(methods) for path, methods in text.get("paths", {}).items() if path in (CHAT, *ROUTES)}
    for methods in paths.values():
        methods |= {method: {**told, "responses": dict(told["responses"])} for method, told in methods.items()}
    if chat := paths.get(CHAT):
        chat["post"] = _with_audio(chat["post"])
    return paths


def _with_audio(operation: Page) -> Page:
    content = operation["requestBody"]["content"]
    both = {kind: {"schema": {"allOf": [told["schema"], {"$ref": REFERENCE.format(model="Spoken")}]}} for kind, told in content.items()}
    return {**operation, "requestBody": {**operation["requestBody"], "content": both}}


def _generate() -> Page:
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model="GenerateRequest")}}}
    either = {"anyOf": [{"$ref": REFERENCE.format(model=name)} for name in ("Refusal", "BentoRefusal")]}
    told = {
        "summary": "Generate",
        "description": "Stream the text that follows a prompt, or that answers a conversation.",
        "operationId": "generate",
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "The text, as it is made.", "content": {"text/event-stream": {}}},
            "4XX": {"description": REFUSED["4XX"], "content": {"application/json": {"schema": either}}},
        },
    }
    return {"post": told}


def _refused() -> Page:
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Refusal")}}}
    return {status: {"description": why, "content": content} for status, why in REFUSED.items()}


def _schemas(page: Page, text: Page) -> Page:
    """Ours win over the engine's of the same name: those are pydantic's and FastAPI's."""
    _, ours = models_json_schema([(model, "validation") for model in SCHEMAS], ref_template=REFERENCE)
    theirs = text.get("components", {}).get("schemas", {})
    made = page.get("components", {}).get("schemas", {})
    return {**theirs, **made, **ours["$defs"]}
