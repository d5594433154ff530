"""The text engine's own OpenAI routes, passed through: refused while it is not ready, counted, and carrying the request's id."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from http import HTTPStatus
from typing import Any

from api import entries, errors, metrics, text_errors
from api.accounts import priority
from api.gathering import Gathering
from api.patience import Patience
from api.runtime import Runtime
from api.streaming import Disconnected, answer_nobody, unless_gone
from api.text_errors import ASGIMessage
from models.base import Receive, Scope, Send
from models.errors import FiresideError

log = logging.getLogger(__name__)

_RESPONSE_EVENTS = b"event: response."
"""Of /v1/responses: some come before the model has made anything."""
_DELTA = b".delta\n"

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


# Not work for the model itself: these go past the queue.
_QUICK = {route for route in ROUTES if route.endswith(("/render", "/cancel", "{response_id}", "tokens", "tokenize", "version", "/load"))}


class TextGateway:
    """An ASGI app for one route. On its hot path it adds one function call and one clock reading per chunk."""

    def __init__(self, runtime: Runtime, route: str) -> None:
        self.runtime = runtime
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.runtime.require_text()
        except FiresideError as error:
            await self.refuse(error, scope, receive, send)
        else:
            await self.pass_on(scope, receive, send)

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that was let in."""
        timeline = metrics.TextTimeline()
        with closing(Gathering(send)) as gathered:
            await self._told(scope, receive, gathered, timeline)

    async def refuse(self, error: FiresideError, scope: Scope, receive: Receive, send: Send) -> None:
        """Before the engine has heard of it."""
        metrics.refused(self.route, error)
        await errors.response(error)(scope, receive, send)

    async def _told(self, scope: Scope, receive: Receive, send: Gathering, timeline: metrics.TextTimeline) -> None:
        try:
            with metrics.text(self.route, timeline):
                entries.current().model = self.runtime.loaded_text().name
                await self._answer(scope, receive, send, timeline)
        except Disconnected:
            await answer_nobody(send)
        except FiresideError as error:
            if timeline.status:
                last = text_errors.last_events(error, self.route, timeline.early + timeline.items)
                await send({"type": "http.response.body", "body": last, "more_body": False})
            else:
                await errors.response(error)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Gathering, timeline: metrics.TextTimeline) -> None:
        async with AsyncExitStack() as held:
            if self.route not in _QUICK:
                receive = await self._turn(held, priority(scope), receive)
            app = self.runtime.loaded_text().app
            with Patience(receive, timeline, self.runtime.settings.limits) as patience:
                await patience.over(self._run(app(scope, patience.receive, _watched(send, timeline, self._ready)), timeline))
        if timeline.over and not timeline.status:
            raise Disconnected

    def _ready(self) -> bool:
        text = self.runtime.text
        return text is not None and text.status.state == "ready" and text.engine.alive

    async def _turn(self, held: AsyncExitStack, wanted: int, receive: Receive) -> Receive:
        """Wait for it, unless the client leaves. Returns what gives its body on."""
        queue = self.runtime.text_queue
        turn = held.enter_async_context(queue.turn(wanted))
        if queue.free:
            await turn
            return receive
        messages = await messages_of(receive)
        await unless_gone(turn, receive)
        return again(messages, receive)

    async def _run(self, app: Awaitable[None], timeline: metrics.TextTimeline) -> None:
        try:
            await app
        except Exception as error:
            if isinstance(error, FiresideError) or timeline.over or timeline.finished or not timeline.status:
                raise
            log.warning("the text engine's app broke off in the midst of an answer", exc_info=error)
            raise text_errors.broken_off(error, self._ready()) from error


async def messages_of(receive: Receive) -> list[ASGIMessage]:
    """All of the request's body; or up to where its client left."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def again(messages: list[ASGIMessage], receive: Receive) -> Receive:
    rest = iter(messages)

    async def again() -> ASGIMessage:
        for message in rest:
            return message
        return await receive()

    return again


def _watched(send: Gathering, timeline: metrics.TextTimeline, ready: Callable[[], bool]) -> Send:
    """The engine's app tells nobody how a request went: read it off what it sends. vLLM answers whoever has left with null and 200."""
    held: list[ASGIMessage] = []

    async def watched(message: Any) -> None:
        if timeline.over:
            return
        if message["type"] == "http.response.start":
            timeline.status = message["status"]
            if timeline.status == HTTPStatus.SERVICE_UNAVAILABLE:
                held.append(message)  # until its body is there
                return
        elif message.get("more_body"):
            body = message["body"]
            if timeline.items or not body.startswith(_RESPONSE_EVENTS) or _DELTA in body:
                timeline.item()
            else:
                timeline.early += 1
            if body.startswith(text_errors.EVENTS):
                timeline.error, message = text_errors.why(message, ready())
            elif send.holds(body, timeline.last):
                return
        else:
            timeline.finished = True
            if held:
                start, error = held.pop(), text_errors.refused(message["body"], ready())
                if error is not None:
                    timeline.error = error
                    start, message = text_errors.in_our_words(error, start, message)
                await send(start)
        timeline.sending = True
        await send(message)
        timeline.sending = False

    return watched
