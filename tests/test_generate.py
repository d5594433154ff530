"""POST /generate, BentoML's own API, on a real server with mock engines."""

from __future__ import annotations

import asyncio
import subprocess

import bentoml
import httpx
import pytest

from tests.servers import Server

pytestmark = pytest.mark.anyio


async def test_bentoml_s_client_streams_it(server: Server) -> None:
    async with bentoml.AsyncHTTPClient(server.url) as client:
        pieces = [piece async for piece in client.generate(prompt="Tell me more.", max_tokens=12)]
    assert len(pieces) > 5
    assert "".join(pieces).strip()


def test_curl_streams_it(server: Server) -> None:
    body = '{"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 8}'
    command = ["curl", "-sN", f"{server.url}/generate", "-H", "content-type: application/json", "-d", body]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_same_seed_gives_the_same_text(server: Server) -> None:
    body = {"prompt": "Tell me.", "max_tokens": 10, "seed": 3, "temperature": 1}
    one, two = (httpx.post(f"{server.url}/generate", json=body).text for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "exactly one of prompt and messages"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "exactly one"),
        ({"messages": []}, "exactly one"),
        ({"prompt": "word " * 9000}, "context"),
    ],
)
def test_what_makes_no_sense_is_refused(server: Server, body: dict[str, object], told: str) -> None:
    answer = httpx.post(f"{server.url}/generate", json=body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]


def test_a_refusal_is_counted(server: Server) -> None:
    refused = 'fireside_requests_total{outcome="invalid_request_error",route="/generate"}'
    before = server.metric(refused)
    httpx.post(f"{server.url}/generate", json={})
    assert server.metric(refused) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": 7},
        {"prompt": "a", "temperature": 9},
        {"prompt": "a", "max_tokens": 0},
        {"prompt": "a", "max_token": 5},
        {"prompt": "a", "seed": 2**63},
        {"prompt": "a", "seed": -(2**63) - 1},
        {"prompt": "a", "top_k": 2**31},
        {"prompt": "a", "min_p": 2},
        {"prompt": "a", "repetition_penalty": 0},
        {"messages": [{"role": "user", "content": "a", "extra": 1}]},
    ],
    ids=str,
)
def test_wrong_types_and_ranges_are_refused(server: Server, body: dict[str, object]) -> None:
    answer = httpx.post(f"{server.url}/generate", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"][0]["loc"] != []


def test_every_sampling_parameter_is_taken(server: Server) -> None:
    body = {"prompt": "Go on.", "temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": -(2**63), "stop": ["never"]}
    penalties = {"presence_penalty": 0.5, "frequency_penalty": -0.5, "repetition_penalty": 1.1}
    answer = httpx.post(f"{server.url}/generate", json=body | penalties | {"max_tokens": 8})
    assert answer.status_code == 200
    assert answer.text.strip()


def test_more_tokens_than_fit_are_all_that_fit(server: Server) -> None:
    with httpx.stream("POST", f"{server.url}/generate", json={"prompt": "on", "max_tokens": 1_000_000}) as answer:
        assert answer.status_code == 200
        assert next(answer.iter_bytes())


FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("headers", [FORM, {"content-type": "text/plain"}, {"content-type": "application/vnd.bentoml+pickle"}], ids=str)
def test_a_body_of_another_kind_is_refused(server: Server, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{server.url}/generate", content=b'{"prompt": "x"}', headers=headers)
    assert answer.status_code == 400
    assert "expected application/json" in answer.json()["error"]["message"]


def test_what_was_sent_does_not_come_into_the_log(server: Server) -> None:
    assert httpx.post(f"{server.url}/generate", json={"prompt": 5, "messages": "a secret"}).status_code == 400
    assert "a secret" not in server.log.read_text()


def test_the_openapi_page_documents_it(server: Server) -> None:
    page = server.get("/docs.json").text
    assert "Give this or `messages`." in page
    assert "/generate" in page


async def gone(server: Server) -> None:
    """Until the text engine is idle."""
    for _ in range(200):
        if server.metric('fireside_running{engine="text"}') == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the engine went on for a client that left")


async def test_a_client_that_leaves_before_the_first_token_frees_the_engine(slow_server: Server) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{slow_server.url}/generate", json={"prompt": "wait"}, timeout=1)
    await gone(slow_server)


async def test_a_client_that_leaves_in_mid_stream_frees_the_engine(server: Server) -> None:
    with httpx.stream("POST", f"{server.url}/generate", json={"prompt": "on and on", "max_tokens": 3000}) as answer:
        next(answer.iter_bytes())
    await gone(server)
