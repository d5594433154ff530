"""What the server says of its requests: one line each, spans for a collector, and the metrics that the dashboards ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
import yaml
from websockets.asyncio.client import connect

from tests.collector import Collector, collecting
from tests.servers import ROOT, Server, serve

pytestmark = pytest.mark.anyio
SECRET = "Ostrich"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
NAMED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def seen(collector: Collector) -> Iterator[Server]:
    """Asked once before it is ready: a refusal. Of what comes without a traceparent nothing is traced."""
    watched = {"FIRESIDE_TRACES__ENDPOINT": collector.url, "FIRESIDE_TRACES__SAMPLE": "0", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with serve("mock", wait="/livez", ready_within=60, FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="3", **watched) as server:
        assert speak(server).status_code == 503
        server.wait("/readyz", 200, 60)
        yield server


def chat(server: Server, **headers: str) -> httpx.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"An {SECRET}?"}], "max_tokens": 5, "stream": True}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers)


def speak(server: Server, text: str = f"An {SECRET} sings.", **headers: str) -> httpx.Response:
    body = {"model": "tts-1", "input": text, "response_format": "wav"}
    return httpx.post(f"{server.url}/v1/audio/speech", json=body, headers=headers, timeout=30)


def transcribe(server: Server) -> httpx.Response:
    recording = {"file": ("sung.wav", speak(server).content)}
    return httpx.post(f"{server.url}/v1/audio/transcriptions", data={"model": "whisper-1"}, files=recording, timeout=30)


async def sing(server: Server, name: str) -> None:
    async with connect(server.url.replace("http", "ws") + "/ws", additional_headers={"x-request-id": name, **NAMED}) as ws:
        await ws.send("{")
        await ws.send(json.dumps({"type": "speak", "text": f"{SECRET}es sing.", "events": True}))
        while isinstance(frame := await ws.recv(), bytes) or json.loads(frame)["type"] != "done":
            pass


def test_a_chat_is_one_line_with_its_tokens(seen: Server) -> None:
    chat(seen, **{"x-request-id": "chat-1"})
    (line,) = seen.lines("chat-1")
    told = {
        "method": "POST",
        "route": "/v1/chat/completions",
        "status": 200,
        "outcome": "ok",
        "key": "",
        "gone": False,
        "model": "mock-text",
    }
    assert line.items() >= {**told, "completion_tokens": 5}.items()
    assert line["prompt_tokens"] > 0
    assert 0 < line["ttft"] <= line["seconds"]


def test_speech_is_one_line_with_its_audio(seen: Server) -> None:
    speak(seen, **{"x-request-id": "speech-1"})
    (line,) = seen.lines("speech-1")
    assert line.items() >= {"route": "/v1/audio/speech", "outcome": "ok", "model": "mock-speech", "voice": "mock-low"}.items()
    assert line["audio_seconds"] > 0
    assert 0 < line["ttfa"] <= line["seconds"]


def test_a_refusal_is_a_line_with_its_code(seen: Server) -> None:
    httpx.post(f"{seen.url}/v1/audio/speech", json={"model": "tts-9", "input": SECRET}, headers={"x-request-id": "bad-1"})
    (line,) = seen.lines("bad-1")
    assert line.items() >= {"status": 404, "outcome": "model_not_found", "code": "model_not_found"}.items()


async def test_of_a_socket_each_message_has_a_line_and_so_has_its_end(seen: Server) -> None:
    await sing(seen, "sung-1")
    told = [(line["message"], line["route"], line["outcome"]) for line in seen.lines("sung-1", "socket")]
    assert told == [("message", "/ws", "invalid_request_error"), ("utterance", "/ws", "ok"), ("socket", "/ws", "ok")]


def test_a_path_that_nobody_serves_is_one_route_and_probes_are_none(seen: Server) -> None:
    for number in range(3):
        httpx.get(f"{seen.url}/nowhere/{number}", headers={"x-request-id": f"nowhere-{number}"})
        httpx.get(f"{seen.url}/readyz", headers={"x-request-id": "probe"})
    assert [line["route"] for line in seen.lines("nowhere-2")] == ["other"]
    assert not [label for label in labels(seen) if "nowhere" in label or "/readyz" in label]
    assert "probe" not in {json.loads(line).get("request_id") for line in seen.log.read_text().splitlines()}


async def test_nothing_of_what_is_said_is_in_the_log(seen: Server) -> None:
    chat(seen)
    speak(seen)
    assert transcribe(seen).status_code == 200
    httpx.post(f"{seen.url}/generate", json={"prompt": SECRET, SECRET: 1}, headers={"x-request-id": "wrong"})
    await sing(seen, "sung-2")
    assert seen.lines("wrong")[0]["status"] == 400
    assert SECRET not in seen.log.read_text()


def test_a_request_is_a_trace_below_that_of_its_client(seen: Server, collector: Collector) -> None:
    speak(seen, **NAMED, **{"x-request-id": "traced-1"})
    spans = collector.trace(TRACE, "POST /v1/audio/speech")
    root, queue, engine = (spans[name] for name in ("POST /v1/audio/speech", "speech queue", "speech engine"))
    assert root.parent_span_id.hex() == PARENT
    assert {queue.parent_span_id, engine.parent_span_id} == {root.span_id}
    assert root.start_time_unix_nano <= queue.start_time_unix_nano <= queue.end_time_unix_nano == engine.start_time_unix_nano
    assert engine.end_time_unix_nano <= root.end_time_unix_nano
    assert [event.name for event in root.events] == ["first audio"]
    assert seen.lines("traced-1")[0]["trace_id"] == TRACE


async def test_an_utterance_is_a_trace_too(seen: Server, collector: Collector) -> None:
    await sing(seen, "sung-3")
    spans = collector.trace(TRACE, "utterance /ws")
    assert spans["utterance /ws"].parent_span_id.hex() == PARENT


def test_what_is_not_in_the_sample_is_not_traced(seen: Server, collector: Collector) -> None:
    speak(seen, **{"x-request-id": "untraced"})
    assert "trace_id" not in seen.lines("untraced")[0]
    assert {span.trace_id.hex() for span in collector.spans} <= {TRACE}


def labels(server: Server) -> list[str]:
    return [line for line in server.get("/metrics").text.splitlines() if line.startswith("fireside_")]


@pytest.mark.parametrize("path", ["/web/unheard-of", "/unheard-of", "/v1/unheard-of", "/static_content/unheard-of", "/generate/unheard-of"])
def test_no_path_that_somebody_thinks_of_is_a_label(seen: Server, path: str) -> None:
    """Not of BentoML's metrics either, which have the path of each request."""
    assert httpx.post(seen.url + path, json={}).status_code in {404, 405}
    assert httpx.get(seen.url + path).status_code == 404
    assert "unheard-of" not in seen.get("/metrics").text


def names_in(expression: str) -> set[str]:
    """Of the metrics in an expression of PromQL."""
    return set(re.findall(r"\b(?:fireside|vllm|bentoml)[_:]\w+", expression))


def dashboard() -> set[str]:
    board = json.loads((ROOT / "deploy" / "grafana" / "fireside.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return set().union(*map(names_in, expressions))


def alerts() -> set[str]:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"]
    return set().union(*(names_in(rule["expr"]) for group in groups for rule in group["rules"]))


async def test_every_metric_of_the_dashboard_and_of_the_alerts_is_there_once_one_of_each_was_served(seen: Server) -> None:
    chat(seen)
    transcribe(seen)
    await sing(seen, "sung-4")
    there = {re.split(r"[{ ]", line)[0] for line in labels(seen)}
    for name, wanted in (("dashboard", dashboard()), ("alerts", alerts())):
        assert len(wanted) > 5, name
        assert wanted <= there, f"{name}: {sorted(wanted - there)}"
    assert {re.sub(r"_(bucket|count|sum)$", "", metric) for metric in there} == documented()


def documented() -> set[str]:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(fireside_\w+)`", page, re.MULTILINE))
