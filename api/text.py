"""The text engine's own OpenAI routes, passed through: refused while it is not ready, counted, and carrying the request's id."""

from __future__ import annotations

from typing import Any

from api import entries, errors, metrics
from api.runtime import Runtime
from models.base import Receive, Scope, Send
from models.errors import NotReady

_ERROR_EVENT = b'data: {"error"'

ROUTES = (
    "/v1/chat/completions/render",
    "/v1/completions",
    "/v1/completions/render",
    "/v1/responses",
    "/v1/responses/{response_id}",
    "/v1/responses/{response_id}/cancel",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/embeddings",
    "/v1/score",
    "/v1/rerank",
    "/v2/rerank",
    "/rerank",
    "/score",
    "/pooling",
    "/classify",
    "/tokenize",
    "/detokenize",
    "/version",
    "/load",
)


class TextGateway:
    """An ASGI app for one route. On its hot path it adds one function call and one clock reading per chunk."""

    def __init__(self, runtime: Runtime, route: str) -> None:
        self.runtime = runtime
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            engine = self.runtime.require_text()
        except NotReady as error:
            metrics.refused(self.route, error)
            await errors.response(error)(scope, receive, send)
            return
        entries.current().model = engine.name
        with metrics.text(self.route) as timeline:
            await engine.app(scope, receive, _watched(send, timeline))


def _watched(send: Send, timeline: metrics.TextTimeline) -> Send:
    """The engine's app tells nobody how a request went: read it off what it sends."""

    async def watched(message: Any) -> None:
        if message["type"] == "http.response.start":
            timeline.status = message["status"]
        elif message.get("more_body"):
            timeline.item()
            if message["body"].startswith(_ERROR_EVENT):
                timeline.failed = True
        else:
            timeline.finished = True
        await send(message)

    return watched
