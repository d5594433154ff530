"""What a client of a realtime session is told when something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from api import errors
from models.errors import InvalidInput

# pydantic puts the branches of a union into the place of a fault; no client knows them.
_FORMATS = ("audio/pcm", "audio/pcmu", "audio/pcma")
_KINDS = ("message", "function_call", "function_call_output", "input_text", "input_audio", "output_text", "output_audio", "function")
_BRANCHES = frozenset((*_FORMATS, *_KINDS, "server_vad", "semantic_vad", "user", "system", "assistant", "constrained-int", "Named"))


class Refused(InvalidInput):
    """With one of the codes that OpenAI's clients look for."""

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


def explain(error: ValidationError, *within: str) -> InvalidInput:
    """The first fault, in words and with the field's place as the client wrote it."""
    fault: dict[str, Any] = dict(error.errors(include_url=False)[0])
    fault["loc"] = (*within, *_place(fault["loc"]))
    told = errors.explain_validation([fault])
    kinds = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
    return Refused(kinds.get(fault["type"], "invalid_value"), str(told), param=told.param)


def _place(loc: Iterable[int | str]) -> list[int | str]:
    return [part for part in loc if not (isinstance(part, str) and (part in _BRANCHES or "[" in part))]


def described(error: BaseException, event_id: str | None = None) -> dict[str, Any]:
    """As an `error` event tells it. `event_id` is the client's, of the event that was wrong."""
    told: dict[str, Any] = errors.body(error)["error"]
    code = getattr(error, "code", None) or told["code"] or "invalid_value"
    return {**told, "code": code, "event_id": event_id}
