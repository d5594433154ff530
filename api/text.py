"""The text engine's own OpenAI routes, passed through: refused while it is not ready, counted, and carrying the request's id."""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from contextlib import AsyncExitStack, closing
from http import HTTPStatus
from typing import Any

import orjson

from api import entries, errors, metrics
from api.accounts import priority
from api.gathering import Gathering
from api.patience import Patience
from api.runtime import Runtime
from api.streaming import Disconnected, answer_nobody, unless_gone
from models.base import Receive, Scope, Send
from models.errors import EngineDied, EngineFailed, EngineTimeout, FiresideError, NotReady, Overloaded

ASGIMessage = MutableMapping[str, Any]

RETRY = b"retry-after"
_ERROR_EVENTS = (b'data: {"error"', b"event: error")
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
_MESSAGES = "/v1/messages"


class TextGateway:
    """An ASGI app for one route. On its hot path it adds one function call and one clock reading per chunk."""

    def __init__(self, runtime: Runtime, route: str) -> None:
        self.runtime = runtime
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
                entries.current().model = self.runtime.require_text().name
                await self._answer(scope, receive, send, timeline)
        except Disconnected:
            await answer_nobody(send)
        except (NotReady, Overloaded, EngineTimeout, EngineDied) as error:
            if timeline.status:
                await self._end(error, send)
            else:
                await errors.response(error)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Gathering, timeline: metrics.TextTimeline) -> None:
        async with AsyncExitStack() as held:
            if self.route not in _QUICK:
                receive = await self._turn(held, priority(scope), receive)
            app = self.runtime.require_text().app
            with Patience(receive, timeline, self.runtime.settings.limits) as patience:
                await patience.over(app(scope, patience.receive, _watched(send, timeline, self._ready)))
        if timeline.over and not timeline.status:
            raise Disconnected

    def _ready(self) -> bool:
        text = self.runtime.text
        return text is not None and text.ready() and text.engine.alive

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

    async def _end(self, error: FiresideError, send: Send) -> None:
        """In the midst of a stream."""
        event = _messages_event(error) if self.route == _MESSAGES else f"data: {errors.text(error)}\n\ndata: [DONE]\n\n"
        await send({"type": "http.response.body", "body": event.encode(), "more_body": False})


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


def _refused(body: bytes, ready: bool) -> FiresideError | None:
    """What vLLM's 503 means: it was full, or it has died with the request. None for one in our words already, or in unknown ones."""
    told = _error_of(body)
    if told is None or isinstance(told.get("code"), str):
        return None
    return Overloaded(str(told.get("message"))) if ready else EngineDied(str(told.get("message")))


def _in_our_words(error: FiresideError, start: ASGIMessage, body: ASGIMessage) -> tuple[ASGIMessage, ASGIMessage]:
    content = errors.text(error).encode()
    kept = [(name, value) for name, value in start["headers"] if name not in {b"content-length", RETRY}]
    headers = [*kept, (b"content-length", b"%d" % len(content)), (RETRY, b"%d" % NotReady("").retry_after)]
    return {**start, "headers": headers}, {**body, "body": content}


def _messages_event(error: FiresideError) -> str:
    return f"event: error\ndata: {json.dumps({'type': 'error', **errors.body(error)})}\n\n"


def _why(event: ASGIMessage, ready: bool) -> tuple[FiresideError, ASGIMessage]:
    """An error in the midst; of an engine that has ended, in our words. vLLM's /v1/messages cannot read that in its own stream."""
    told = _error_of(event["body"].removeprefix(b"data: "))
    if ready and (told is None or told.get("code") != HTTPStatus.SERVICE_UNAVAILABLE):  # in the midst, a death that we do not know of yet
        died = told is not None and told.get("code") == "engine_died"
        return (EngineDied if died else EngineFailed)(str((told or {}).get("message"))), event
    if told is None:
        error = EngineDied("the language model has ended: send this again once it is back")
        return error, {**event, "body": _messages_event(error).encode()}
    error = EngineDied(str(told.get("message")))
    return error, {**event, "body": f"data: {errors.text(error)}\n\n".encode()}


def _error_of(body: bytes) -> dict[str, Any] | None:
    try:
        error = orjson.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return error if isinstance(error, dict) else None


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
            if body.startswith(_ERROR_EVENTS):
                timeline.error, message = _why(message, ready())
            elif send.holds(body, timeline.last):
                return
        else:
            timeline.finished = True
            if held:
                start, error = held.pop(), _refused(message["body"], ready())
                if error is not None:
                    timeline.error = error
                    start, message = _in_our_words(error, start, message)
                await send(start)
        timeline.sending = True
        await send(message)
        timeline.sending = False

    return watched
