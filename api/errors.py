"""The one place where an error becomes a status, an OpenAI error body or a WebSocket close code."""

from __future__ import annotations

import json
import logging
import reprlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models import errors
from models.base import Send

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """How one class of error looks from outside. `close` is the WebSocket close code (RFC 6455 and IANA's registry)."""

    status: HTTPStatus
    type: str
    code: str | None
    close: int


# First match wins: leaves before branches.
_REFUSALS: tuple[tuple[type[BaseException], Refusal], ...] = (
    (errors.Unauthorized, Refusal(HTTPStatus.UNAUTHORIZED, "invalid_request_error", "invalid_api_key", 1008)),
    (errors.Forbidden, Refusal(HTTPStatus.FORBIDDEN, "invalid_request_error", "insufficient_permissions", 1008)),
    (errors.RateLimited, Refusal(HTTPStatus.TOO_MANY_REQUESTS, "requests", "rate_limit_exceeded", 1013)),
    (errors.TooSlow, Refusal(HTTPStatus.REQUEST_TIMEOUT, "invalid_request_error", "request_timeout", 1008)),
    (errors.ContextTooLong, Refusal(HTTPStatus.BAD_REQUEST, "invalid_request_error", "context_length_exceeded", 1007)),
    (errors.TooLarge, Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request_error", "request_too_large", 1009)),
    (errors.UnknownModel, Refusal(HTTPStatus.NOT_FOUND, "invalid_request_error", "model_not_found", 1007)),
    (errors.UnknownVoice, Refusal(HTTPStatus.BAD_REQUEST, "invalid_request_error", "voice_not_found", 1007)),
    (errors.InvalidInput, Refusal(HTTPStatus.BAD_REQUEST, "invalid_request_error", None, 1007)),
    (RequestValidationError, Refusal(HTTPStatus.BAD_REQUEST, "invalid_request_error", None, 1007)),
    (errors.NotReady, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "server_error", "not_ready", 1013)),
    (errors.Overloaded, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "server_error", "overloaded", 1013)),
    (errors.EngineTimeout, Refusal(HTTPStatus.GATEWAY_TIMEOUT, "server_error", "engine_timeout", 1011)),
    (errors.EngineDied, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "server_error", "engine_died", 1011)),
    (errors.EngineFailed, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "engine_failed", 1011)),
)
_UNEXPECTED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "internal_error", 1011)


def refusal(error: BaseException) -> Refusal:
    return next((found for kind, found in _REFUSALS if isinstance(error, kind)), _UNEXPECTED)


def body(error: BaseException) -> dict[str, Any]:
    """OpenAI's error object. An unexpected error is logged in full and told without its inside."""
    how = refusal(error)
    if how is _UNEXPECTED:
        log.error("unexpected error", exc_info=error)
    message = str(error) if isinstance(error, errors.FiresideError) else "Unexpected error in the server; its log has the details."
    return {"error": {"message": message, "type": how.type, "param": getattr(error, "param", None), "code": how.code}}


def text(error: BaseException) -> str:
    # Not orjson: a message may quote what came, and JSON's escapes let a client send what is not UTF-8.
    return json.dumps(body(error))


def headers(error: BaseException) -> dict[str, str]:
    if isinstance(error, errors.Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    retry_after = getattr(error, "retry_after", None)
    return {} if retry_after is None else {"Retry-After": str(retry_after)}


def response(error: BaseException) -> Response:
    return Response(text(error), refusal(error).status, headers(error), "application/json")


async def hang_up(error: BaseException, send: Send) -> None:
    """Tell a socket's client what is wrong, and close it."""
    how = refusal(error)
    await send({"type": "websocket.send", "text": json.dumps({"type": "error", **body(error)})})
    await send({"type": "websocket.close", "code": how.close, "reason": how.code or ""})


def explain_validation(faults: Any) -> errors.InvalidInput:
    """The first fault of a pydantic error in words, with the field it is in."""
    fault = faults[0]
    if fault["type"] == "json_invalid":
        return errors.InvalidInput(f"the body is no JSON (at character {fault['loc'][-1]}: {fault['ctx']['error']}): expected an object.")
    place = ".".join(str(part) for part in fault["loc"] if part != "body")
    return errors.InvalidInput(f"{place or 'body'}: {fault['msg']} (got {short(fault.get('input'))})", param=place or None)


# Of a thousand nested lists, or of megabytes, no more is looked at than is told.
_shortener = reprlib.Repr()
_shortener.maxstring = _shortener.maxother = 200
short = _shortener.repr


def install(app: FastAPI) -> None:
    async def ours(_: Request, error: Exception) -> Response:
        return response(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return response(explain_validation(error.errors()))

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(cause := error.__cause__, UnicodeDecodeError):  # FastAPI says only that there is something
            return response(errors.InvalidInput(f"the body is not UTF-8 (at byte {cause.start}): expected a JSON object."))
        content = {"error": {"message": error.detail, "type": "invalid_request_error", "param": None, "code": None}}
        return Response(orjson.dumps(content), error.status_code, error.headers, "application/json")

    app.add_exception_handler(errors.FiresideError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
