"""What is noted of a request while it is served: by whom, in what form it is logged, what is traced, and what a chunk of it costs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import TypeAdapter, ValidationError

from api import entries, logs, metrics
from api.app import in_front
from api.entries import Entry
from api.requests import RequestIds
from api.traces import Spans
from api.watch import Watch
from models import work
from models.base import ASGIApp, Receive, Scope, Send
from models.errors import InvalidInput, NotReady
from settings import Settings, keys_file

pytestmark = pytest.mark.anyio
EXTENSIONS = {"websocket.http.response": {}}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"


@contextmanager
def reading() -> Iterator[list[Entry]]:
    """The entries that are told."""
    told: list[Entry] = []
    entries.readers.append(told.append)
    try:
        yield told
    finally:
        entries.readers.remove(told.append)


async def asked(app: ASGIApp, path: str = "/v1/x", *, kind: str = "http", **headers: str) -> list[Any]:
    """What `app` sends to a request with a body."""
    sent: list[Any] = []
    body = {"type": "http.request", "body": b"a secret"} if kind == "http" else {"type": "websocket.connect"}

    async def receive() -> Any:
        return body

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": "POST", "path": path, "headers": pairs, "client": ("127.0.0.1", 1), "extensions": EXTENSIONS}
    await app(scope, receive, send)
    return sent


def answering(*bodies: bytes, status: int = 200) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def failing(error: Exception, route: str = "/v1/x") -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        metrics.refused(route, error)

    return app


async def test_what_no_route_counts_is_counted_as_other() -> None:
    with reading() as told:
        await asked(Watch(RequestIds(answering(status=404))), "/a/path/of/mine", **{"x-request-id": "mine"})
    assert [(entry.route, entry.outcome, entry.status, entry.request_id) for entry in told] == [("other", "http_404", 404, "mine")]


@pytest.fixture
def front(tmp_path: Path) -> ASGIApp:
    """With a key, which opens nothing but speech."""
    key = {"hash": keys_file.hashed("fs-laptop"), "scopes": ["speech"]}
    return in_front(answering(b"x"), Settings.model_validate({"home": tmp_path, "access": {"keys": {"laptop": key}}}))


@pytest.mark.parametrize(
    ("path", "key", "told"),
    [
        ("/v1/audio/speech", "fs-laptop", ("laptop", "other", 200, "ok")),
        ("/v1/completions", "fs-laptop", ("laptop", "(door)", 403, "insufficient_permissions")),
        ("/v1/completions", "fs-mine", ("", "(door)", 401, "invalid_api_key")),
    ],
)
async def test_whose_key_it_is_is_told_by_its_name(front: ASGIApp, path: str, key: str, told: tuple[str, str, int, str]) -> None:
    before = metrics.key_requests.labels(told[0], told[-1])._value.get()
    with reading() as entries_told:
        await asked(front, path, **{"x-api-key": key})
    assert [(entry.key, entry.route, entry.status, entry.outcome) for entry in entries_told] == [told]
    assert metrics.key_requests.labels(told[0], told[-1])._value.get() == before + 1


async def test_a_socket_without_a_key_is_one_refusal(front: ASGIApp) -> None:
    before = metrics.requests.labels("(door)", "invalid_api_key")._value.get()
    with reading() as told:
        await asked(front, "/ws", kind="websocket")
    assert [(entry.event, entry.status, entry.outcome) for entry in told] == [("socket", 401, "invalid_api_key")]
    assert metrics.requests.labels("(door)", "invalid_api_key")._value.get() == before + 1


async def test_a_refusal_in_front_of_the_routes_is_told_with_its_reason() -> None:
    before = metrics.refusals.labels("/v1/x", "not_ready")._value.get()
    with reading() as told:
        await asked(Watch(failing(NotReady("later"))))
        await asked(Watch(failing(InvalidInput("never"))))
    assert [(entry.outcome, entry.code, entry.status) for entry in told] == [
        ("not_ready", "not_ready", 503),
        ("invalid_request_error", "invalid_request_error", 400),
    ]
    assert metrics.refusals.labels("/v1/x", "not_ready")._value.get() == before + 1


async def test_a_socket_that_nobody_serves_is_a_refusal() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    with reading() as told:
        await asked(Watch(RequestIds(app)), "/nowhere", kind="websocket")
    assert [(entry.event, entry.route, entry.outcome) for entry in told] == [("socket", "other", "http_403")]


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/v1/status"])
async def test_of_a_probe_nothing_is_told_unless_it_was_refused(path: str) -> None:
    with reading() as told:
        await asked(Watch(RequestIds(answering(status=503))), path)
        await asked(Watch(RequestIds(answering(status=401))), path)
    assert [(entry.route, entry.status) for entry in told] == [(path, 401)]


async def test_a_chunk_passes_nothing_of_ours() -> None:
    passed: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.extend((receive, send))

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    await Watch(app)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert passed == [receive, send]


@pytest.mark.parametrize(("wanted", "contents"), [(True, {"input": "a secret", "output": "an answer"}), (False, {})])
async def test_contents_are_kept_only_where_they_are_wanted(wanted: bool, contents: dict[str, str]) -> None:
    with reading() as told:
        await asked(Watch(answering(b"an ", b"answer"), contents=wanted))
    assert told[0].contents == contents


async def test_sounds_are_no_contents() -> None:
    with reading() as told:
        await asked(Watch(answering(bytes(range(256))), contents=True))
    assert told[0].contents == {"input": "a secret"}


def test_what_an_engine_tells_comes_to_the_request_that_it_works_for() -> None:
    entry = Entry(route="/v1/x", outcome="ok", model="m", key="laptop")
    spent = metrics.tokens.labels("output", "m", "laptop")._value.get()
    with work.around(entry):
        work.current().later(lambda told: setattr(told, "completion_tokens", 7))
        work.current().begun("text", 1.0, 1.5)
        work.current().begun("text", 2.0, 9.0)
    entries.tell(entry)
    assert (entry.completion_tokens, entry.stages["text"].begun) == (7, 1.5)
    assert metrics.tokens.labels("output", "m", "laptop")._value.get() == spent + 7
    assert work.current().stages == {}


def test_a_wait_in_front_of_the_engine_counts_whether_it_came_to_an_end_or_not() -> None:
    served, given_up = Entry(), Entry()
    for entry in (served, given_up):
        entry.asked("text", 1.0)
    served.begun("text", 3.0, 4.0)
    entries.tell(served)
    entries.tell(given_up)
    assert (served.stages["text"].asked, served.stages["text"].begun) == (1.0, 4.0)
    assert given_up.stages["text"].begun > 4.0


Line = Callable[..., str]


@pytest.fixture(params=["json", "text"])
def line(request: pytest.FixtureRequest) -> Line:
    form = logs.JsonLines() if request.param == "json" else logs.TextLines()

    def written(message: str, exc_info: Any = None, **fields: Any) -> str:
        record = logging.LogRecord("api", logging.WARNING, "", 0, message, (), exc_info)
        record.fields = fields
        return form.format(record)

    return written


def test_a_line_is_one_line_whatever_is_in_it(line: Line) -> None:
    told = line("said", route="/ws", input='two\nlines and "quotes" \ud800', seconds=0.5)
    assert "\n" not in told
    assert "/ws" in told
    assert "0.5" in told


def test_both_forms_have_the_same_fields() -> None:
    record = logging.LogRecord("api", logging.WARNING, "", 0, "said", (), None)
    record.fields = {"route": "/ws", "code": "not ready"}
    told = json.loads(logs.JsonLines().format(record))
    assert {name: told[name] for name in ("level", "logger", "message", "route", "code")} == {
        "level": "warning",
        "logger": "api",
        "message": "said",
        "route": "/ws",
        "code": "not ready",
    }
    assert logs.TextLines().format(record) == f'{told["time"]} warning api: said route=/ws code="not ready"'


def test_a_line_of_a_request_has_its_id(line: Line) -> None:
    with work.around(Entry(request_id="mine")):
        assert "mine" in line("said")
    assert "mine" not in line("said")


def test_a_traceback_is_told_and_what_a_client_sent_is_not(line: Line) -> None:
    try:
        raise ZeroDivisionError("out of luck")
    except ZeroDivisionError:
        assert "out of luck" in line("failed", sys.exc_info())
    try:
        TypeAdapter(dict[str, int]).validate_python({"a secret": "another secret"})
    except ValidationError:
        told = line("failed", sys.exc_info())
    assert "int_parsing" in told
    assert "secret" not in told


def traced(sample: float, *told: Entry) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    spans = Spans(exporter, sample)
    for entry in told:
        entry.finished = entry.began + 1
        spans.read(entry)
    spans.close()
    return list(exporter.get_finished_spans())


def spoken(**fields: Any) -> Entry:
    entry = Entry(event="utterance", route="/ws", outcome="ok", began=100.0, began_at=1000.0, **fields)
    entry.begun("speech", 100.1, 100.2)
    entry.ended("speech", 100.7)
    entry.first_audio = 100.3
    return entry


def test_spans_tell_where_the_time_went() -> None:
    spans = {span.name: span for span in traced(1, spoken())}
    times = {name: (span.start_time, span.end_time) for name, span in spans.items()}
    assert {name: tuple(round((moment or 0) / 1e8) for moment in pair) for name, pair in times.items()} == {
        "utterance /ws": (10000, 10010),
        "speech queue": (10001, 10002),
        "speech engine": (10002, 10007),
    }
    (event,) = spans["utterance /ws"].events
    assert (event.name, round(event.timestamp / 1e8)) == ("first audio", 10003)


@pytest.mark.parametrize(("sample", "flags", "count"), [(0, "", 0), (1, "", 3), (0, "01", 3), (1, "00", 0), (0, "junk", 0)])
def test_the_client_says_what_is_traced_and_else_the_sample(sample: float, flags: str, count: int) -> None:
    headers = ((b"traceparent", (PARENT + flags).encode()),) if flags else ()
    assert len(traced(sample, spoken(headers=headers))) == count


def test_a_failure_is_one_in_its_trace_and_a_refused_message_is_no_trace() -> None:
    (span,) = traced(1, Entry(method="POST", route="/v1/x", outcome="engine_died", code="engine_died"), Entry(event="message"))
    assert not span.status.is_ok
    assert span.attributes
    assert span.attributes["error.type"] == "engine_died"
