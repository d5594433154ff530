"""The text engine's own routes of which one request makes many of the engine's, or a long one: with a limit for how many, and how long."""

from __future__ import annotations

from collections.abc import Callable

from api import answers
from api.runtime import Runtime
from api.text import TextGateway, again, messages_of
from models.base import Receive, Scope, Send
from models.errors import InvalidInput

COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
COUNTING = ("/tokenize", "/detokenize", "/v1/messages/count_tokens")
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

    def completions(body: bytes) -> None:
        answers.check(body, most)
        answers.check_cut(body)

    def pooling(body: bytes) -> None:
        answers.check_inputs(body)
        answers.check_cut(body)

    checks = {COMPLETIONS: completions, RESPONSES: answers.check_cut, **dict.fromkeys(POOLING, pooling)}
    checks |= dict.fromkeys(COUNTING, answers.check_text)
    return {route: CountedGateway(runtime, route, check) for route, check in checks.items()}
