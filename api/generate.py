"""POST /generate: text chunks straight from the engine, as BentoML's async generator streams them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from api import errors, metrics
from api.runtime import Runtime
from api.streaming import Disconnected, unless_gone
from models.base import Sampling, TextChunk, TextRequest
from models.errors import InvalidInput


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str


Prompt = Annotated[str | None, Field(description="Text to continue. Give this or `messages`.")]
Messages = Annotated[list[Message] | None, Field(description="A conversation to answer. Give this or `prompt`.")]
MaxTokens = Annotated[int | None, Field(ge=1, description="Most tokens to make; without it, up to the context length.")]
Temperature = Annotated[float | None, Field(ge=0, le=2, description="0 always takes the likeliest token.")]
TopP = Annotated[float | None, Field(gt=0, le=1, description="Sample from the likeliest tokens with this total probability.")]
TopK = Annotated[int | None, Field(ge=-1, description="Sample from this many likeliest tokens; -1 is all.")]
Seed = Annotated[int | None, Field(description="The same seed and request give the same text.")]
Stop = Annotated[list[str] | None, Field(description="End before any of these appears.")]


def text_request(request_id: str, prompt: str | None, messages: list[Message] | None, **sampling: Any) -> TextRequest:
    if (prompt is None) == (not messages):
        raise InvalidInput("give exactly one of prompt and messages, and messages not empty.", param="prompt")
    stop = tuple(sampling.pop("stop") or ())
    turns = tuple(message.model_dump() for message in messages or ())
    return TextRequest(request_id, prompt, turns, Sampling(stop=stop, **sampling))


async def generate(runtime: Runtime, wanted: TextRequest, request: Request) -> AsyncGenerator[str, None]:
    """Raises before the first chunk whatever can be refused; after it, the last chunk is an error event.

    A client that leaves before the first token is noticed here: BentoML looks only once the response has begun.
    """
    engine = runtime.require_text()
    with metrics.text("/generate") as timeline:
        async with aclosing(engine.generate(wanted)) as chunks:
            try:
                first = await unless_gone(anext(chunks, TextChunk("", 0)), request.receive)
            except Disconnected:
                return
            except Exception as error:
                timeline.status = errors.refusal(error).status
                raise
            timeline.item()
            yield first.text
            try:
                async for chunk in chunks:
                    timeline.item()
                    yield chunk.text
            except Exception as error:
                timeline.failed = True
                yield "\n\nevent: error\ndata: " + errors.text(error) + "\n\n"
                return
        timeline.finished = True
