"""Work for an engine once it is its turn: no route waits for one otherwise, and none waits for ever. The request was let in before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from api import chat_stream
from api.chat_stream import Delta
from api.patience import in_time
from api.runtime import Runtime
from models.base import Heard, ListeningJob, TextChunk, TextRequest
from models.errors import Overloaded


async def chat(runtime: Runtime, body: dict[str, Any], request_id: str, priority: int) -> AsyncGenerator[Delta, None]:
    """The deltas of an answer to a chat completion request. Raises EngineTimeout as `generate` does."""
    async with runtime.text_queue.turn(priority), aclosing(chat_stream.chat(runtime.loaded_text(), body, request_id)) as deltas:
        async for delta in in_time(deltas, runtime.settings.limits):
            yield delta


async def generate(runtime: Runtime, wanted: TextRequest, priority: int) -> AsyncGenerator[TextChunk, None]:
    """Raises EngineTimeout where the engine takes longer than limits.token_timeout between two pieces, or limits.total_timeout in all."""
    async with runtime.text_queue.turn(priority), aclosing(runtime.loaded_text().generate(wanted)) as chunks:
        async for chunk in in_time(chunks, runtime.settings.limits):
            yield chunk


async def transcribe(runtime: Runtime, job: ListeningJob) -> AsyncGenerator[Heard, None]:
    """What is heard of a recording. Raises Overloaded where nothing of it is within listening.queue_timeout."""
    patience = runtime.settings.listening.queue_timeout
    async with aclosing(runtime.loaded_listening().transcribe(job)) as items:
        try:
            async with asyncio.timeout(patience):
                first = await anext(items, None)
        except TimeoutError:
            raise Overloaded(f"nothing of it was understood within {patience:g} s: try again later.", retry_after=10) from None
        if first is not None:
            yield first
        async for item in items:
            yield item
