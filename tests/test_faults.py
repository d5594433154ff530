"""What clients see when engines fail, on real servers with mock engines: a clear error, never a silent end, and the next request served."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator

import httpx
import openai
import psutil
import pytest
from websockets.asyncio.client import connect

from tests.servers import FIRESIDE, Server, serve

pytestmark = pytest.mark.anyio
LONG = "A sentence that goes on for a while. " * 60


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """Text dies of the word "die", and is not back at once; speech takes its time, so that it can be killed in the middle."""
    faults = {
        "FIRESIDE_TEXT__MOCK__FAULT__KIND": "crash",
        "FIRESIDE_TEXT__MOCK__FAULT__MATCH": "die",
        "FIRESIDE_TEXT__MOCK__LOAD_SECONDS": "3",
    }
    with serve("mock", FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR="0.05", **faults) as running:
        yield running


def speech_worker(server: Server) -> psutil.Process:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return next(child for child in children if "models.speech.worker" in child.cmdline())


def streamed(server: Server, prompt: str) -> list[str]:
    body = {"model": "gpt-4o-mini", "stream": True, "max_tokens": 50, "messages": [{"role": "user", "content": prompt}]}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
        return [line for line in answer.iter_lines() if line]


def test_a_dying_engine_ends_its_streams_with_an_error_and_comes_back(mortal: Server) -> None:
    lines = streamed(mortal, "die")
    assert "crashed" in json.loads(lines[-2].removeprefix("data: "))["error"]["message"]
    assert mortal.get("/readyz").status_code == 503
    assert mortal.get("/livez").status_code == 200
    refused = httpx.post(f"{mortal.url}/v1/chat/completions", json={"model": "gpt-4o-mini", "messages": []})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    mortal.wait("/readyz", 200, 30)
    assert streamed(mortal, "live")[-1] == "data: [DONE]"
    text = mortal.get("/v1/status").json()["engines"]["text"]
    assert (text["restarts"], text["last_failure"]["why"]) == (1, "the mock engine crashed, as it was told to")
    assert mortal.metric('fireside_engine_restarts_total{engine="text"}') == 1


def test_generate_ends_with_an_error_event(mortal: Server) -> None:
    text = httpx.post(f"{mortal.url}/generate", json={"prompt": "die", "max_tokens": 50}).text
    assert "event: error\ndata: " in text
    assert json.loads(text.rpartition("data: ")[2])["error"]["code"] == "engine_died"
    mortal.wait("/readyz", 200, 30)


async def test_a_killed_speech_worker_is_told_on_the_socket_which_lives_on(mortal: Server) -> None:
    async with connect(mortal.url.replace("http", "ws") + "/ws", max_size=None) as ws:
        await ws.send(LONG)
        assert isinstance(await ws.recv(), bytes)
        speech_worker(mortal).send_signal(signal.SIGKILL)
        while isinstance(frame := await asyncio.wait_for(ws.recv(), 30), bytes):
            pass
        assert json.loads(frame)["error"]["code"] == "engine_died"
        await asyncio.to_thread(mortal.wait, "/readyz", 200, 30)
        await ws.send("Back again.")
        assert isinstance(await asyncio.wait_for(ws.recv(), 30), bytes)


def test_a_killed_speech_worker_cuts_the_body_and_leaves_text_alone(mortal: Server) -> None:
    body = {"model": "tts-1", "input": LONG, "response_format": "pcm"}
    with httpx.stream("POST", f"{mortal.url}/v1/audio/speech", json=body) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        speech_worker(mortal).send_signal(signal.SIGKILL)
        assert streamed(mortal, "live")[-1] == "data: [DONE]"
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            list(pieces)
    mortal.wait("/readyz", 200, 30)


def test_readiness_waits_for_every_engine_while_life_goes_on() -> None:
    with serve("mock", wait="/livez", FIRESIDE_SPEECH__MOCK__LOAD_SECONDS="3") as server:
        assert server.get("/readyz").status_code == 503
        refused = httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": "Hello."})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")
        server.wait("/readyz", 200, 30)


def test_a_worker_that_exits_on_death_is_replaced() -> None:
    faults = {"FIRESIDE_TEXT__MOCK__FAULT__KIND": "crash", "FIRESIDE_TEXT__MOCK__FAULT__MATCH": "die"}
    with serve("mock", FIRESIDE_TEXT__ON_DEATH="exit", FIRESIDE_SPEECH__ENGINE="none", **faults) as server:
        before = {child.pid for child in psutil.Process(server.process.pid).children()}
        streamed(server, "die")
        server.wait("/readyz", 200, 60)
        assert {child.pid for child in psutil.Process(server.process.pid).children()} != before


def test_fireside_serve_leaves_with_an_engine_that_exits_on_death() -> None:
    faults = {"FIRESIDE_TEXT__MOCK__FAULT__KIND": "crash", "FIRESIDE_TEXT__MOCK__FAULT__MATCH": "die"}
    with serve("mock", by=FIRESIDE, FIRESIDE_TEXT__ON_DEATH="exit", FIRESIDE_SPEECH__ENGINE="none", **faults) as server:
        streamed(server, "die")
        assert server.process.wait(60) == 1


def test_an_error_before_the_first_item_is_a_status() -> None:
    faults = {"FIRESIDE_SPEECH__MOCK__FAULT__KIND": "before_first", "FIRESIDE_TEXT__MOCK__FAULT__KIND": "before_first"}
    with serve("mock", **faults) as server:
        spoken = httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": "Hello."})
        assert (spoken.status_code, spoken.json()["error"]["code"]) == (500, "engine_failed")
        assert httpx.post(f"{server.url}/generate", json={"prompt": "Hello."}).status_code == 500
        with pytest.raises(openai.InternalServerError):
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
            client.completions.create(model="gpt-4o-mini", prompt="Hello.")


def test_sigterm_lets_a_stream_finish_and_leaves_nothing_behind() -> None:
    with serve("mock", FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="20", FIRESIDE_SPEECH__MOCK__REALTIME_FACTOR="0.05") as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        body = {"model": "gpt-4o-mini", "stream": True, "max_tokens": 40, "messages": [{"role": "user", "content": "go on"}]}
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            os.kill(server.process.pid, signal.SIGTERM)
            assert list(lines)[-2:] == ["data: [DONE]", ""]
        assert server.process.wait(60) == 0
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
