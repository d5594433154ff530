"""POST /v1/completions: the text engine's own route, and a limit for how many answers one request asks for."""

from __future__ import annotations

from api import answers
from api.runtime import Runtime
from api.text import TextGateway, again, messages_of
from models.base import Receive, Scope, Send
from models.errors import InvalidInput

ROUTE = "/v1/completions"


class CompletionsGateway(TextGateway):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await messages_of(receive)
        body = b"".join(message.get("body", b"") for message in messages)
        try:
            answers.check(body, self.runtime.settings.limits.max_answers)
        except InvalidInput as error:
            await self.refuse(error, scope, receive, send)
        else:
            await super().__call__(scope, again(messages, receive), send)
