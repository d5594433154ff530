"""POST /generate: text chunks straight from the engine, as BentoML's async generator streams them.

What does not fit GenerateRequest, BentoML refuses at its door, in the form that its own clients read, and counts in its own metrics.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.requests import Request

from api import entries, errors, metrics, turns
from api.accounts import priority
from api.requests import request_id
from api.runtime import Runtime
from api.streaming import Disconnected, unless_gone
from models.base import ASGIApp, Receive, Sampling, Scope, Send, TextChunk, TextRequest
from models.errors import EngineFailed, FiresideError, InvalidInput


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str


INT64 = 2**63
INT32 = 2**31


class GenerateRequest(BaseModel):
    """Exactly one of `prompt` and `messages`, and how to choose tokens; what is left out is the model's own default."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    prompt: str | None = None
    """Text to continue. Give this or `messages`."""
    messages: list[Message] | None = None
    """A conversation to answer. Give this or `prompt`."""
    max_tokens: int | None = Field(None, ge=1)
    """Most tokens to make; without it, or where it is more, up to the context length."""
    temperature: float | None = Field(None, ge=0, le=2)
    """0 always takes the likeliest token."""
    top_p: float | None = Field(None, gt=0, le=1)
    """Sample from the likeliest tokens with this total probability."""
    top_k: int | None = Field(None, ge=-1, lt=INT32)
    """Sample from this many likeliest tokens; 0 and -1 are all."""
    min_p: float | None = Field(None, ge=0, le=1)
    """Leave out tokens that are less likely than this share of the likeliest one's probability."""
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    """Above 0: rather something that was not said yet."""
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    """Above 0: the less, the more often it was said."""
    repetition_penalty: float | None = Field(None, gt=0)
    """Above 1: less of what stands in the prompt or was said."""
    seed: int | None = Field(None, ge=-INT64, lt=INT64)
    """The same seed and request give the same text."""
    stop: list[str] | None = None
    """End before any of these appears."""

    def text_request(self, request_id: str) -> TextRequest:
        if (self.prompt is None) == (not self.messages):
            raise InvalidInput("give exactly one of prompt and messages, and messages not empty.", param="prompt")
        messages = tuple(message.model_dump() for message in self.messages or ())
        sampling = self.model_dump(exclude={"prompt", "messages", "stop"})
        return TextRequest(request_id, self.prompt, messages, Sampling(stop=tuple(self.stop or ()), **sampling))


async def generate(runtime: Runtime, asked: GenerateRequest, request: Request) -> AsyncGenerator[str, None]:
    """Raises before the first chunk whatever can be refused; after it, the last chunk is an error event.

    A client that leaves before the first token is noticed here: BentoML looks only once the response has begun.
    """
    with metrics.text("/generate") as timeline:
        entries.current().model = runtime.require_text().name
        wanted = asked.text_request(request_id(request.scope))
        async with aclosing(turns.generate(runtime, wanted, priority(request.scope))) as chunks:
            try:
                first = await unless_gone(anext(chunks, TextChunk("", 0)), request.receive)
            except Disconnected:
                return
            timeline.item()
            yield first.text
            try:
                async for chunk in chunks:
                    timeline.item()
                    yield chunk.text
            except Exception as error:
                timeline.error = error if isinstance(error, FiresideError) else EngineFailed(str(error))
                yield "\n\nevent: error\ndata: " + errors.text(error) + "\n\n"
                return
        timeline.finished = True


class OnlyJson:
    """ASGI middleware for BentoML's app, which answers a form with a 500 and reads JSON from a text, as any web page may send it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/generate" and scope["method"] == "POST":
            kind = Headers(scope=scope).get("content-type", "")
            if kind and kind.split(";")[0].strip().lower() != "application/json":
                error = InvalidInput(f"the body is {errors.short(kind)}: expected application/json.")
                await errors.response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)
