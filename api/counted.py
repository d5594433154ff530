"""The text engine's own routes of which one request makes many of the engine's: with a limit for how many."""

from __future__ import annotations

from collections.abc import Callable

from api import answers
from api.runtime import Runtime
from api.text import TextGateway, again, messages_of
from models.base import Receive, Scope, Send
from models.errors import InvalidInput

COMPLETIONS = "/v1/completions"
POOLING = ("/v1/embeddings", "/v1/score", "/v1/rerank", "/v2/rerank", "/rerank", "/score", "/pooling", "/classify")


class CountedGateway(TextGateway):
    def __init__(self, runtime: Runtime, route: str, check: Callable[[bytes], None]) -> None:
        super().__init__(runtime, route)
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await messages_of(receive)
        body = b"".join(message.get("body", b"") for message in messages)
        try:
            self._check(body)
        except InvalidInput as error:
            await self.refuse(error, scope, receive, send)
        else:
            await super().__call__(scope, again(messages, receive), send)


def gateways(runtime: Runtime) -> dict[str, CountedGateway]:
    """By route."""
    most = runtime.settings.limits.max_answers
    completions = CountedGateway(runtime, COMPLETIONS, lambda body: answers.check(body, most))
    return {COMPLETIONS: completions} | {route: CountedGateway(runtime, route, answers.check_inputs) for route in POOLING}
