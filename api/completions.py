"""POST /v1/completions: the text engine's own route, and a limit for how many answers one request asks for."""

from __future__ import annotations

from typing import Any

import orjson

from api import errors, metrics
from api.runtime import Runtime
from api.text import TextGateway, again, messages_of
from models.base import Receive, Scope, Send
from models.errors import InvalidInput

ROUTE = "/v1/completions"


class CompletionsGateway(TextGateway):
    """An engine takes each prompt of a list as a request of its own, and all of them at once."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, ROUTE)
        self.most = runtime.settings.limits.max_answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await messages_of(receive)
        body = b"".join(message.get("body", b"") for message in messages)
        # A prompt of a list takes two bytes at least: most bodies are not even parsed.
        many = len(body) > 2 * self.most or b'"n"' in body
        if many and (answers := _answers(body)) > self.most:
            error = InvalidInput(
                f"at most {self.most} answers to one request (limits.max_answers), got prompts for {answers}: send them in several",
                param="prompt",
            )
            metrics.refused(self.route, error)
            await errors.response(error)(scope, receive, send)
        else:
            await super().__call__(scope, again(messages, receive), send)


def _answers(body: bytes) -> int:
    """0 for what the engine will refuse anyway."""
    try:
        asked: Any = orjson.loads(body)
    except ValueError:
        return 0
    if not isinstance(asked, dict):
        return 0
    prompt, n = asked.get("prompt"), asked.get("n") or 1
    prompts = len(prompt) if isinstance(prompt, list) and not all(isinstance(item, int) for item in prompt) else 1
    return prompts * (n if isinstance(n, int) else 1)
