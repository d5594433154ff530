"""What the text engine's own app refuses is told as Fireside tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from api import metrics
from api.gathering import Gathering
from api.metrics import TextTimeline
from api.text import _watched

pytestmark = pytest.mark.anyio

ROUTE = "/v1/chat/completions"


def requests(outcome: str) -> float:
    return REGISTRY.get_sample_value("fireside_requests_total", {"route": ROUTE, "outcome": outcome}) or 0.0


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("fireside_refused_total", {"route": ROUTE, "reason": reason}) or 0.0


async def told(
    status: int, error: dict[str, Any], ready: bool = True, timeline: TextTimeline | None = None
) -> tuple[int, dict[str, str], dict[str, Any]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    body = json.dumps({"error": error}).encode()
    watched = _watched(send, timeline or TextTimeline(), lambda: ready)
    await watched({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await watched({"type": "http.response.body", "body": body})
    start, content = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(headers["content-length"]) == len(content["body"])
    return start["status"], headers, json.loads(content["body"])["error"]


@pytest.mark.parametrize(("ready", "code"), [(False, "engine_died"), (True, "overloaded")])
async def test_that_it_cannot_serve_now_has_our_code_and_says_when_to_come_back(ready: bool, code: str) -> None:
    error = {"message": "no room", "type": "Service Unavailable", "param": None, "code": 503}
    before = requests(code), refusals(code)
    with metrics.text(ROUTE) as timeline:
        status, headers, found = await told(503, error, ready, timeline)
    assert (status, headers["retry-after"]) == (503, "5")
    assert (requests(code), refusals(code)) == (before[0] + 1, before[1] + 1)
    assert found == {"message": "no room", "type": "server_error", "param": None, "code": code}


@pytest.mark.parametrize(
    ("ready", "code", "ours"), [(True, 503, True), (False, 500, True), (True, 500, False), (True, "engine_died", False)]
)
async def test_a_death_in_the_midst_is_told_as_one_whoever_finds_it_first(ready: bool, code: int | str, ours: bool) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    error = {"message": "it has died", "type": "Service Unavailable", "param": None, "code": code}
    watched = _watched(send, timeline := TextTimeline(), lambda: ready)
    await watched({"type": "http.response.start", "status": 200, "headers": []})
    await watched({"type": "http.response.body", "body": b"data: " + json.dumps({"error": error}).encode() + b"\n\n", "more_body": True})
    found = json.loads(sent[1]["body"].removeprefix(b"data: "))["error"]
    wanted = {**error, "type": "server_error", "code": "engine_died"} if ours else error
    assert found == wanted
    assert timeline.outcome() == ("engine_failed" if code == 500 and ready else "engine_died")


async def test_what_is_ours_or_no_refusal_of_that_kind_stays_as_it_is() -> None:
    ours = {"message": "died", "type": "server_error", "param": None, "code": "engine_died"}
    assert (await told(503, ours))[2] == ours
    theirs = {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}
    assert (await told(400, theirs))[2] == theirs


async def test_that_a_response_was_made_is_no_text_of_it() -> None:
    async def send(message: Any) -> None:
        pass

    watched = _watched(Gathering(send), timeline := TextTimeline(), lambda: True)
    await watched({"type": "http.response.start", "status": 200, "headers": []})
    counts = []
    for name in ("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done"):
        await watched({"type": "http.response.body", "body": f"event: response.{name}\ndata: {{}}\n\n".encode(), "more_body": True})
        counts.append(timeline.items)
    assert counts == [0, 0, 0, 0, 1, 2]
