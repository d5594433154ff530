"""What goes wrong in the text engine's own app, in our words: before an answer, in its midst, and as the last event of its stream."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

import orjson

from api import errors
from models.errors import EngineDied, EngineFailed, FiresideError, NotReady, Overloaded

ASGIMessage = MutableMapping[str, Any]

EVENTS = (b'data: {"error"', b"event: error")
"""How one begins in a stream."""
_RETRY = b"retry-after"
_ENDED = "the language model has ended: send this again once it is back"


def refused(body: bytes, ready: bool) -> FiresideError | None:
    """What vLLM's 503 means: it was full, or it has died with the request. None for one in our words already, or in unknown ones."""
    told = _error_of(body)
    if told is None or isinstance(told.get("code"), str):
        return None
    return Overloaded(str(told.get("message"))) if ready else EngineDied(str(told.get("message")))


def in_our_words(error: FiresideError, start: ASGIMessage, body: ASGIMessage) -> tuple[ASGIMessage, ASGIMessage]:
    content = errors.text(error).encode()
    kept = [(name, value) for name, value in start["headers"] if name not in {b"content-length", _RETRY}]
    headers = [*kept, (b"content-length", b"%d" % len(content)), (_RETRY, b"%d" % NotReady("").retry_after)]
    return {**start, "headers": headers}, {**body, "body": content}


def _messages_event(error: FiresideError) -> str:
    return f"event: error\ndata: {json.dumps({'type': 'error', **errors.body(error)})}\n\n"


def why(event: ASGIMessage, ready: bool) -> tuple[FiresideError, ASGIMessage]:
    """An error in the midst; of an engine that has ended, in our words. vLLM's /v1/messages cannot read that in its own stream."""
    told = _error_of(event["body"].removeprefix(b"data: "))
    if ready and (told is None or told.get("code") != HTTPStatus.SERVICE_UNAVAILABLE):  # in the midst, a death that we do not know of yet
        died = told is not None and told.get("code") == "engine_died"
        return (EngineDied if died else EngineFailed)(str((told or {}).get("message"))), event
    if told is None:
        error = EngineDied(_ENDED)
        return error, {**event, "body": _messages_event(error).encode()}
    error = EngineDied(str(told.get("message")))
    return error, {**event, "body": f"data: {errors.text(error)}\n\n".encode()}


def _error_of(body: bytes) -> dict[str, Any] | None:
    try:
        error = orjson.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return error if isinstance(error, dict) else None


def broken_off(error: Exception, ready: bool) -> EngineFailed:
    """vLLM's app raises in the midst of a streamed /v1/responses whatever comes: where its engine ends, an error with this status."""
    cause = error.__cause__ or error
    if getattr(cause, "http_status", None) == HTTPStatus.SERVICE_UNAVAILABLE:
        return EngineDied(str(cause))
    return EngineFailed("the language model broke off in the midst of this: send it again") if ready else EngineDied(_ENDED)


def last_events(error: FiresideError, route: str, number: int) -> bytes:
    """That end a stream of this route in which so many events were sent."""
    if route == "/v1/messages":
        events = _messages_event(error)
    elif route == "/v1/responses":
        events = _responses_event(error, number)
    else:
        events = f"data: {errors.text(error)}\n\ndata: [DONE]\n\n"
    return events.encode()


def _responses_event(error: FiresideError, number: int) -> str:
    """OpenAI's clients raise at `error`, others read the fields beside it."""
    body = errors.body(error)
    told = {"type": "error", **{name: body["error"][name] for name in ("code", "message", "param")}, "sequence_number": number}
    return f"event: error\ndata: {json.dumps({**told, **body})}\n\n"
