"""What a user sees of the cpu profile: real text, real speech, one server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Any

import bentoml
import httpx
import numpy as np
import openai
import psutil
import pytest
from websockets.asyncio.client import connect

from tests.engines.whisper import transcribe, word_error_rate
from tests.recordings import recording, tone
from tests.servers import Server

pytestmark = [pytest.mark.engines, pytest.mark.anyio]

QUESTION = "What is the capital of France?"
FIVE_SENTENCES = (
    "The old lighthouse stood at the edge of the harbour. Every evening the keeper climbed its ninety steps. "
    "He lit the lamp and watched the ships come home. On clear nights you could see it from far away. "
    "Nobody in the village could remember a time without its light."
)
COUNT = ", ".join(map(str, range(1, 300))) + ","
"""A model that counts goes on counting."""
ENDLESS = "Repeat the word 'fire' 500 times."
"""To this one it counts for as long as it may: none of its answers is over before a slow machine has seen them all run."""


def test_the_sdk_streams_the_answer(real_server: Server) -> None:
    client = openai.OpenAI(base_url=f"{real_server.url}/v1", api_key="none")
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}], stream=True, temperature=0, max_tokens=20
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 3


def test_the_openapi_page_tells_of_vllms_own_routes(real_server: Server) -> None:
    page = real_server.get("/openapi.json").json()
    assert {"/generate", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/audio/speech"} <= page["paths"].keys()
    assert "ChatCompletionRequest" in page["components"]["schemas"]


async def test_generate_streams_the_answer(real_server: Server) -> None:
    messages = [{"role": "user", "content": QUESTION}]
    async with bentoml.AsyncHTTPClient(real_server.url) as client:
        pieces = [piece async for piece in client.generate(messages=messages, temperature=0, max_tokens=20)]
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 3


def test_curl_gets_the_answer(real_server: Server) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 20}
    command = ["curl", "-s", f"{real_server.url}/v1/chat/completions", "-H", "content-type: application/json", "-d", json.dumps(body)]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert "Paris" in answer["choices"][0]["message"]["content"]


async def test_the_socket_speaks_what_whisper_understands(real_server: Server) -> None:
    audio, started = b"", []
    async with connect(real_server.url.replace("http", "ws") + "/ws", max_size=None) as ws:
        await ws.send(json.dumps({"type": "speak", "text": FIVE_SENTENCES, "events": True, "seed": 1}))
        while True:
            frame = await asyncio.wait_for(ws.recv(), 120)
            if isinstance(frame, bytes):
                audio += frame
                continue
            event = json.loads(frame)
            if event["type"] == "sentence.started":
                started.append((event["index"], len(audio)))
            if event["type"] == "done":
                break
    assert [index for index, _ in started] == [0, 1, 2, 3, 4]
    assert started[1][1] > 0, "the first sentence's audio came before the second began"
    heard = transcribe(np.frombuffer(audio, "<i2"), 24000)
    assert word_error_rate(FIVE_SENTENCES, heard) <= 0.05, heard


def test_metrics_stand_beside_vllm_s(real_server: Server) -> None:
    client = openai.OpenAI(base_url=f"{real_server.url}/v1", api_key="none")
    client.audio.speech.create(model="tts-1", voice="alloy", input="Counted.", response_format="pcm")
    for _ in client.completions.create(model="gpt-4o-mini", prompt="One, two,", max_tokens=8, stream=True):
        pass
    page = real_server.get("/metrics").text
    for name in ("fireside_ttft_seconds_count", "fireside_itl_seconds_count", "fireside_tts_ttfa_seconds_count", "fireside_tts_rtf_count"):
        assert name in page
    assert "vllm:num_requests_running" in page


def test_the_log_knows_the_tokens_of_a_stream_whose_client_did_not_ask(real_server: Server) -> None:
    client = openai.OpenAI(base_url=f"{real_server.url}/v1", api_key="none")
    asked: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": QUESTION}],
        "n": 2,
        "max_tokens": 6,
        "temperature": 1,
    }
    asked["extra_body"] = {"ignore_eos": True}  # as many tokens each time
    usage = client.chat.completions.create(**asked).usage
    for _ in client.chat.completions.create(**asked, stream=True, extra_headers={"x-request-id": "counted"}):
        pass
    (line,) = real_server.lines("counted")
    assert (line["prompt_tokens"], line["completion_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert 0 < line["text_queue_seconds"] < line["ttft"] < line["seconds"]


def test_the_first_token_of_a_response_is_none_of_the_events_before_it(real_server: Server) -> None:
    client, seen = openai.OpenAI(base_url=f"{real_server.url}/v1", api_key="none"), dict[str, float]()
    long = f"Go on: {COUNT}"  # to read it takes longer than to tell that it was taken on
    headers = {"x-request-id": "responded"}
    for event in client.responses.create(model="gpt-4o-mini", input=long, max_output_tokens=8, extra_headers=headers, stream=True):
        seen.setdefault(event.type, perf_counter())
    (line,) = real_server.lines("responded")
    assert line["ttft"] > (seen["response.output_text.delta"] - seen["response.created"]) / 2


@pytest.mark.parametrize("seconds", [0.2, 60], ids=["before the first token", "in mid-stream"])
def test_a_client_of_generate_that_leaves_frees_the_engine(real_server: Server, seconds: float) -> None:
    body = {"prompt": COUNT, "max_tokens": 700}
    with suppress(httpx.ReadTimeout), httpx.stream("POST", f"{real_server.url}/generate", json=body, timeout=seconds) as answer:
        assert seconds == 60
        chunks = answer.iter_bytes()  # kept: without it the body is closed
        next(chunks)
        assert real_server.metric('fireside_running{engine="text"}') == 1
    real_server.until('fireside_running{engine="text"}', 0)
    real_server.until('fireside_waiting{engine="text"}', 0)
    ask(real_server)  # EngineCore tells what it runs at each step, and has none to make for nobody
    real_server.until("vllm:num_requests_running", 0)


@pytest.mark.parametrize(
    ("route", "asked"),
    [("completions", {"prompt": COUNT}), ("chat/completions", {"messages": [{"role": "user", "content": ENDLESS}]})],
)
def test_a_client_that_leaves_before_its_whole_answer_is_no_success(real_server: Server, route: str, asked: dict[str, Any]) -> None:
    name = f"left-{route.replace('/', '-')}"
    body = {"model": "gpt-4o-mini", "max_tokens": 700, "ignore_eos": True, **asked}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{real_server.url}/v1/{route}", json=body, headers={"x-request-id": name}, timeout=1)
    (line,) = real_server.lines(name)
    assert (line["outcome"], line["gone"], line["status"]) == ("cancelled", True, 499)
    assert line.get("completion_tokens", 0) < 700


def child(server: Server, mark: str) -> psutil.Process:
    family = psutil.Process(server.process.pid).children(recursive=True)
    return next(one for one in family if mark in " ".join(one.cmdline()))


def ask(server: Server) -> str:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}], max_tokens=20)
    return str(answer.choices[0].message.content)


def say(server: Server) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/audio/speech", json={"model": "tts-1", "input": "Still here."}, timeout=60)


@pytest.mark.timeout(400)
def test_a_killed_engine_core_is_told_and_comes_back_while_speech_goes_on(real_server: Server) -> None:
    body = {"model": "gpt-4o-mini", "prompt": "Count:", "max_tokens": 1500, "ignore_eos": True}
    url, messages, responses = (f"{real_server.url}/v1/{name}" for name in ("completions", "messages", "responses"))
    long = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": ENDLESS}], "max_tokens": 1900, "stream": True}
    with (
        ThreadPoolExecutor(1) as pool,
        httpx.stream("POST", url, json=body | {"stream": True}, timeout=60) as answer,
        httpx.stream("POST", messages, json=long, timeout=60) as other,
        httpx.stream("POST", responses, json={"model": "gpt-4o-mini", "input": ENDLESS, "stream": True}, timeout=60) as third,
    ):
        streams = [stream.iter_lines() for stream in (answer, other, third)]
        for lines, token in zip(streams, ('"text"', "content_block_delta", "output_text.delta"), strict=True):
            next(line for line in lines if token in line)
        core = child(real_server, "EngineCore")
        core.suspend()  # none of them is over before all are there, however long that takes
        held = pool.submit(httpx.post, url, json=body, timeout=120)
        real_server.until('fireside_running{engine="text"}', 3)
        real_server.until('fireside_waiting{engine="text"}', 1)
        core.kill()
        refused = [httpx.post(url, json=body, timeout=60) for _ in range(20)]
        for told in map(list, streams):
            (error,) = (json.loads(line[6:])["error"] for line in told if line.startswith(('data: {"error"', 'data: {"type": "error"')))
            assert error["code"] == "engine_died"
    for refusal in (held.result(), *refused):
        assert refusal.status_code == 503, refusal.text
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.json()["error"]["code"] in {"engine_died", "not_ready"}
    real_server.wait("/readyz", 503, 60)
    assert real_server.status("/livez") == 200
    assert say(real_server).status_code == 200
    real_server.wait("/readyz", 200, 300)
    assert "Paris" in ask(real_server)


@pytest.mark.timeout(200)
def test_a_killed_speech_worker_comes_back_while_text_goes_on(real_server: Server) -> None:
    child(real_server, "models.speech.worker").kill()
    real_server.wait("/readyz", 503, 60)
    assert say(real_server).status_code == 503
    assert "Paris" in ask(real_server)
    real_server.wait("/readyz", 200, 120)
    assert say(real_server).status_code == 200


def hear(server: Server) -> httpx.Response:
    spoken = recording("wav", tone(1.0))
    return httpx.post(f"{server.url}/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": spoken}, timeout=60)


@pytest.mark.timeout(200)
def test_a_killed_listening_worker_comes_back_while_text_and_speech_go_on(real_server: Server) -> None:
    assert hear(real_server).status_code == 200
    child(real_server, "models.listening.worker").kill()
    real_server.wait("/readyz", 503, 60)
    assert hear(real_server).status_code == 503
    assert (
        "the listening worker was killed by SIGKILL" in real_server.get("/v1/status").json()["engines"]["listening"]["last_failure"]["why"]
    )
    assert "Paris" in ask(real_server)
    assert say(real_server).status_code == 200
    real_server.wait("/readyz", 200, 60)
    assert hear(real_server).status_code == 200
