"""What is written to the log: our own lines and an entry for each request, as JSON or as a text with the same fields."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from api import entries
from api.entries import Entry
from models import work
from settings import Logs

access = logging.getLogger("fireside.access")
_PLAIN = re.compile(r'[^\s"=\\]+')


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _json(_told(self, record))


class TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = _told(self, record)
        time, level, logger, message, exception = (told.pop(name, "") for name in ("time", "level", "logger", "message", "exception"))
        fields = "".join(f" {name}={_value(value)}" for name, value in told.items())
        return f"{time} {level:<7} {logger}: {message}{fields}" + (f"\n{exception}" if exception else "")


def _told(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    told = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **getattr(record, "fields", {}),
    }
    if "request_id" not in told and isinstance(entry := work.known(), Entry):
        told["request_id"] = entry.request_id
    if record.exc_info:
        told["exception"] = _without_input(record.exc_info[1]) or formatter.formatException(record.exc_info)
    return told


def _without_input(error: BaseException | None) -> str:
    """Pydantic quotes what came, which is no matter of the log, and a client's fault: BentoML logs it for /generate."""
    if not isinstance(error, ValidationError):
        return ""
    return "ValidationError: " + ", ".join(fault["type"] for fault in error.errors(include_input=False, include_context=False))


def _json(told: Any) -> str:
    try:
        return orjson.dumps(told, default=str).decode()
    except orjson.JSONEncodeError:  # half a surrogate pair
        return json.dumps(told, default=str)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return text if _PLAIN.fullmatch(text) else _json(text)


def fields(entry: Entry) -> dict[str, Any]:
    """What is known of it. docs/operations.md tells what each is."""
    told: dict[str, Any] = {
        "request_id": entry.request_id,
        "key": entry.key,
        "method": entry.method,
        "route": entry.route,
        "status": entry.status,
        "outcome": entry.outcome,
        "code": entry.code,
        "gone": entry.gone,
        "seconds": round(entry.seconds, 4),
        "model": entry.model,
        "voice": entry.voice,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "ttft": _rounded(entry.ttft),
        "ttfa": _rounded(entry.ttfa),
        "audio_seconds": _rounded(entry.audio_seconds),
        "stalled_seconds": _rounded(entry.stalled_seconds),
        "heard_seconds": _rounded(entry.heard_seconds),
        **{f"{kind}_queue_seconds": _rounded(stage.begun - stage.asked) for kind, stage in entry.stages.items()},
        "trace_id": entry.trace_id,
        **entry.contents,
    }
    return {name: value for name, value in told.items() if name in _ALWAYS or value not in (None, "", 0)}


_ALWAYS = frozenset({"key", "outcome", "route", "seconds", "status", "gone"})


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def write(entry: Entry) -> None:
    access.info(entry.event, extra={"fields": fields(entry)})


def install(wanted: Logs) -> None:
    """For this process: one form for all that it writes, BentoML's lines and uvicorn's too."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines() if wanted.format == "json" else TextLines())
    for logger in (logging.getLogger(), logging.getLogger("bentoml")):
        logger.handlers = [handler]
    logging.getLogger("uvicorn.error").handlers = []  # what is told there goes up to the root, and would be told twice
    # BentoML shows warnings only, other than its own loggers'.
    for ours in ("api", "models", "voice", access.name):
        logging.getLogger(ours).setLevel(logging.INFO)
    if wanted.requests:
        entries.readers.append(write)
