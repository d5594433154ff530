"""/metrics: every request of our routes once, by how it ended, and the field's figures as the field defines them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import numpy as np
import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api import metrics
from api.measured_engine import MeasuredEngine
from models.base import Audio, SpeechJob
from tests.servers import Server, serve

pytestmark = pytest.mark.anyio
SPEECH = {"model": "tts-1", "input": "Some audio.", "response_format": "pcm"}
TOTAL = "fireside_requests_total{"
ENDLESS = "This goes on for ever."


def requests(server: Server, route: str, outcome: str) -> Callable[[], float]:
    """How many more than now have ended so."""
    name = f'fireside_requests_total{{outcome="{outcome}",route="{route}"}}'
    before = server.metric(name)
    return lambda: server.metric(name) - before


def all_requests(server: Server) -> Callable[[], float]:
    before = server.metric(TOTAL)
    return lambda: server.metric(TOTAL) - before


def test_text_is_counted_and_its_first_token_timed(server: Server) -> None:
    ok, total = requests(server, "/v1/completions", "ok"), all_requests(server)
    timed = server.metric('fireside_ttft_seconds_count{route="/v1/completions"}')
    body = {"model": "gpt-4o-mini", "prompt": "Count.", "max_tokens": 5, "stream": True}
    assert httpx.post(f"{server.url}/v1/completions", json=body).status_code == 200
    assert (ok(), total(), server.metric('fireside_ttft_seconds_count{route="/v1/completions"}')) == (1, 1, timed + 1)
    assert server.metric('fireside_engine_ready{engine="text"}') == 1


def test_speech_is_counted_and_its_audio_measured(server: Server) -> None:
    ok, total = requests(server, "/v1/audio/speech", "ok"), all_requests(server)
    names = ('fireside_tts_ttfa_seconds_count{route="/v1/audio/speech"}', "fireside_tts_rtf_count")
    before = [server.metric(name) for name in names]
    seconds = server.metric('fireside_tts_audio_seconds_total{route="/v1/audio/speech"}')
    audio = httpx.post(f"{server.url}/v1/audio/speech", json=SPEECH).content
    assert (ok(), total(), [server.metric(name) for name in names]) == (1, 1, [count + 1 for count in before])
    made = server.metric('fireside_tts_audio_seconds_total{route="/v1/audio/speech"}') - seconds
    assert made == pytest.approx(len(audio) / 2 / 24000)


def test_a_listener_stalls_from_the_end_of_what_there_was_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    timeline, seconds = metrics.SpokenTimeline(), 0.0
    for now, made, stalled in ((10, 1, 0), (10.5, 1, 0), (13, 0.5, 1), (13.25, 0.5, 1), (16, 1, 3)):
        monkeypatch.setattr(metrics, "perf_counter", lambda now=now: now)
        timeline.made(made)
        seconds += made
        assert (timeline.seconds, timeline.stalled) == (seconds, stalled)


def test_speech_that_is_made_slower_than_it_is_heard_stalls() -> None:
    with serve("mock", FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR="2") as slow:
        assert httpx.post(f"{slow.url}/v1/audio/speech", json=SPEECH).status_code == 200
        made = slow.metric("fireside_tts_audio_seconds_total")
        assert 0.5 * made < slow.metric("fireside_tts_stalled_seconds_total")


@pytest.mark.parametrize(
    ("route", "body", "outcome"),
    [
        ("/v1/audio/speech", {**SPEECH, "input": 7}, "invalid_request_error"),
        ("/v1/audio/speech", {**SPEECH, "input": "***"}, "invalid_request_error"),
        ("/v1/audio/speech", {**SPEECH, "voice": "bob"}, "voice_not_found"),
        ("/v1/audio/speech", {**SPEECH, "model": "tts-9"}, "model_not_found"),
        ("/v1/completions", {"model": "gpt-9", "prompt": "x"}, "http_404"),
    ],
)
def test_a_refusal_is_counted_once(server: Server, route: str, body: dict[str, object], outcome: str) -> None:
    refused, total = requests(server, route, outcome), all_requests(server)
    assert httpx.post(server.url + route, json=body).status_code in {400, 404}
    assert (refused(), total()) == (1, 1)


def test_a_route_is_one_label_whatever_its_path_says(server: Server) -> None:
    ok, missing = requests(server, "/v1/models", "ok"), requests(server, "/v1/models/{name:path}", "model_not_found")
    server.get("/v1/models")
    server.get("/v1/models/one")
    server.get("/v1/models/two")
    assert (ok(), missing()) == (1, 2)


async def test_texts_and_refusals_of_a_socket_are_counted(server: Server) -> None:
    ok, refused, total = requests(server, "/ws", "ok"), requests(server, "/ws", "invalid_request_error"), all_requests(server)
    async with connect(server.url.replace("http", "ws") + "/ws") as ws:
        await ws.send("{")
        await ws.send('{"type": "speak", "text": "Fine.", "events": true}')
        while isinstance(frame := await ws.recv(), bytes) or json.loads(frame)["type"] != "done":
            pass
    assert (ok(), refused(), total()) == (1, 1, 2)


def test_a_client_that_leaves_is_a_cancellation(hanging: Server) -> None:
    text, speech = requests(hanging, "/v1/completions", "cancelled"), requests(hanging, "/v1/audio/speech", "cancelled")
    before = hanging.metric(TOTAL)
    prompt = {"model": "gpt-4o-mini", "prompt": "on and on", "max_tokens": 3000, "stream": True}
    for route, body in (("/v1/completions", prompt), ("/v1/audio/speech", {**SPEECH, "input": ENDLESS})):
        name = route.replace("/", "-")
        with httpx.stream("POST", hanging.url + route, json=body, headers={"x-request-id": name}) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
        (line,) = hanging.lines(name)
        assert (line["outcome"], line["gone"], line["status"]) == ("cancelled", True, 200)
    hanging.until(TOTAL, before + 2)
    assert (text(), speech()) == (1, 1)


@pytest.mark.parametrize("route", ["/v1/completions", "/v1/chat/completions"])
def test_a_client_that_leaves_before_its_whole_answer_is_a_cancellation(hanging: Server, route: str) -> None:
    cancelled, total = requests(hanging, route, "cancelled"), all_requests(hanging)
    body = {"model": "gpt-4o-mini", "max_tokens": 3000}
    asked = {"prompt": "on and on"} if route == "/v1/completions" else {"messages": [{"role": "user", "content": "on and on"}]}
    name = f"whole{route.replace('/', '-')}"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(hanging.url + route, json=body | asked, headers={"x-request-id": name}, timeout=0.3)
    (line,) = hanging.lines(name)
    assert (line["outcome"], line["gone"], line["status"]) == ("cancelled", True, 499)
    assert (cancelled(), total()) == (1, 1)


@pytest.mark.parametrize("leave", ["close", "cancel", "abort"])
async def test_texts_of_a_socket_that_nobody_wants_are_cancellations(hanging: Server, leave: str) -> None:
    cancelled, before = requests(hanging, "/ws", "cancelled"), hanging.metric(TOTAL)
    async with connect(hanging.url.replace("http", "ws") + "/ws") as ws:
        for _ in range(3):
            await ws.send(ENDLESS)
        await ws.recv()
        if leave == "cancel":
            await ws.send('{"type": "cancel"}')
        elif leave == "abort":
            ws.transport.abort()
    hanging.until(TOTAL, before + 3)
    assert cancelled() == 3


async def test_what_comes_before_the_engines_are_ready_is_told_and_counted() -> None:
    loading = {"FIRESIDE_SPEECH__MOCK__LOAD_SECONDS": "30", "FIRESIDE_TEXT__MOCK__LOAD_SECONDS": "30"}
    with serve("mock", wait="/livez", **loading) as server:
        for route in ("/v1/audio/speech", "/v1/completions"):
            assert httpx.post(server.url + route, json=SPEECH).status_code == 503
        async with connect(server.url.replace("http", "ws") + "/ws") as ws:
            assert json.loads(await ws.recv())["error"]["code"] == "not_ready"
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "not_ready")
        for route in ("/v1/audio/speech", "/v1/completions", "/ws"):
            assert server.metric(f'fireside_requests_total{{outcome="not_ready",route="{route}"}}') == 1


class Engine:
    """A second of audio for each job, once it may."""

    concurrency = 4

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def synthesize(self, job: SpeechJob) -> AsyncIterator[Audio]:
        await self.go.wait()
        yield Audio(np.zeros(1000, np.int16), 1000)


async def test_rtf_is_seconds_of_work_whoever_shares_them_and_however_slow_the_reader() -> None:
    now = 0.0
    engine = Engine()
    measured = MeasuredEngine(engine, clock=lambda: now)

    async def read(index: int) -> None:
        async for _ in measured.synthesize(SpeechJob("me", index, "text", "voice")):
            pass

    before = REGISTRY.get_sample_value("fireside_tts_rtf_sum") or 0.0
    now = 100.0  # idle until here
    readers = [asyncio.create_task(read(index)) for index in range(4)]
    await asyncio.sleep(0)
    now = 102.0
    engine.go.set()
    await asyncio.gather(*readers)
    assert (REGISTRY.get_sample_value("fireside_tts_rtf_sum") or 0.0) - before == pytest.approx(2.0)
