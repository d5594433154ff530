"""The shape of an answer: its keys in their order and the types of its values, without the values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.contract.cases import Case

DONE = "[DONE]"
SHAPES = Path(__file__).parent / "vllm_shapes.json"
# In `param`, the class of a union's branch, and in a message the list of other names, are the server's own business.
BRANCH = re.compile(r"\.[A-Z]\w+")


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return distinct([shape(inner) for inner in value])
    return "null" if value is None else type(value).__name__


def distinct(shapes: list[Any]) -> list[Any]:
    """Each shape once, in the order of first appearance; the order of keys counts."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(item) for item in shapes)]


def events(body: str) -> list[Any]:
    """The data of each server-sent event; refuses any other line, so that the framing is checked too."""
    frames = body.split("\n\n")
    assert frames.pop() == "", "the stream ends within an event"
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames), frames
    return [DONE if frame == "data: [DONE]" else json.loads(frame.removeprefix("data: ")) for frame in frames]


def stream_shape(body: str) -> list[Any]:
    return distinct([event if event == DONE else shape(event) for event in events(body)])


def body_of(case: Case, model: str) -> bytes:
    body = case[1]
    return body if isinstance(body, bytes) else json.dumps(body).replace("$MODEL", model).encode()


def error(response: httpx.Response, model: str) -> dict[str, Any]:
    """Status, type, code, param, and the message where it is written for the client rather than made by pydantic."""
    details: dict[str, Any] = response.json()["error"]
    message = details.pop("message").split(" Valid aliases")[0].replace(model, "$MODEL")
    details["param"] = details["param"] and BRANCH.sub("", details["param"])
    return {"status": response.status_code} | details | ({} if details["type"] == "Bad Request" else {"message": message})
