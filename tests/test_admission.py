"""A full server, and keys with limits: who is let in, who waits, who is told to come back. What is slow is let go of."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from settings import keys_file
from tests.servers import Server, serve

SHORT = {"model": "mock-text", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
LONG = {**SHORT, "max_tokens": 100_000, "ignore_eos": True, "stream": True}
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FREE, ONE, TWICE, LITTLE, LEAST, FIRST = "fs-free", "fs-one", "fs-twice", "fs-little", "fs-least", "fs-first"
KEYS = {
    "first": {"hash": keys_file.hashed(FIRST), "priority": 5},
    "free": {"hash": keys_file.hashed(FREE)},
    "one": {"hash": keys_file.hashed(ONE), "concurrency": 1},
    "little": {"hash": keys_file.hashed(LITTLE), "tokens_per_minute": 20},
    "least": {"hash": keys_file.hashed(LEAST), "tokens_per_minute": 20},
    "twice": {"hash": keys_file.hashed(TWICE), "requests_per_minute": 2},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(
        "mock",
        FIRESIDE_HOME=str(tmp_path_factory.mktemp("home")),
        FIRESIDE_ACCESS__KEYS=json.dumps(KEYS),
        FIRESIDE_ACCESS__METRICS="open",
        FIRESIDE_LISTENING__ENGINE="mock",
        FIRESIDE_TEXT__MAX_RUNNING="2",
        FIRESIDE_TEXT__MAX_WAITING="1",
        FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="200",
        FIRESIDE_TEXT__MOCK__MAX_MODEL_LEN="1000000",
        FIRESIDE_TEXT__MOCK__FAULT=json.dumps({"kind": "hang", "after": 3, "match": "hang"}),
        FIRESIDE_LIMITS__TOKEN_TIMEOUT="1",
        FIRESIDE_LIMITS__MAX_SOCKETS="2",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    with serve("mock", FIRESIDE_TEXT__MOCK__TTFT="60", FIRESIDE_LIMITS__TOTAL_TIMEOUT="0.3") as running:
        yield running


def ask(server: Server, key: str = FREE, asked: dict[str, Any] = SHORT) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/chat/completions", json=asked, headers={"X-API-Key": key}, timeout=30)


@contextmanager
def streaming(server: Server, key: str = FREE) -> Iterator[None]:
    """An answer without end, which has begun."""
    sent = {"json": LONG, "headers": {"X-API-Key": key}}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", timeout=30, **sent) as answer:
        lines = answer.iter_lines()  # kept, as its end is the stream's
        assert next(lines).startswith("data: ")
        yield


@pytest.fixture(autouse=True)
def quiet(server: Server) -> Iterator[None]:
    yield
    server.until('fireside_running{engine="text"}', 0)
    server.until('fireside_waiting{engine="text"}', 0)


def test_a_key_has_no_more_running_than_it_may(server: Server) -> None:
    with streaming(server, ONE):
        refused = ask(server, ONE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "1"
        assert ask(server, FREE).status_code == 200
    server.until('fireside_running{engine="text"}', 0)
    assert ask(server, ONE).status_code == 200


def test_a_key_asks_no_more_often_than_it_may(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=TWICE, max_retries=0)
    for _ in range(2):
        client.chat.completions.create(**SHORT)
    with pytest.raises(openai.RateLimitError, match="2 requests a minute") as refused:
        client.chat.completions.create(**SHORT)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert client.models.list().data  # is no work


@pytest.mark.parametrize(("key", "stream"), [(LITTLE, False), (LEAST, True)])
def test_a_key_has_no_more_tokens_than_it_may(server: Server, key: str, stream: bool) -> None:
    asked = {**SHORT, "max_tokens": 30, "min_tokens": 30, "stream": stream}
    assert ask(server, key, asked).status_code == 200
    refused = ask(server, key, asked)
    assert refused.status_code == 429
    assert "20 tokens a minute" in refused.json()["error"]["message"]


def test_a_socket_s_answers_count_too(server: Server) -> None:
    with connect(f"{server.url.replace('http', 'ws')}/ws", additional_headers={"X-API-Key": TWICE}) as talk:
        talk.send("Hello.")
        told = json.loads(talk.recv())
        assert (told["type"], told["error"]["code"]) == ("error", "rate_limit_exceeded")


def test_who_comes_when_it_is_full_waits_and_of_too_many_one_is_refused(server: Server) -> None:
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(server)))
    with streaming(server), streaming(server):
        waiting.start()
        server.until('fireside_waiting{engine="text"}', 1)
        refused = ask(server)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert httpx.post(f"{server.url}/generate", json={"prompt": "Hi"}, headers={"X-API-Key": FREE}).status_code == 503
        for path in ("/v1/models", "/v1/status", "/metrics", "/livez", "/readyz"):
            assert httpx.get(server.url + path, headers={"X-API-Key": FREE}).status_code == 200
        assert httpx.post(f"{server.url}/tokenize", json={"prompt": "Hi"}, headers={"X-API-Key": FREE}).status_code != 503
    waiting.join(20)
    assert [answer.status_code for answer in answers] == [200]


def test_of_those_who_wait_a_key_with_priority_is_served(server: Server) -> None:
    with ThreadPoolExecutor() as pool, streaming(server):
        with streaming(server):
            pushed_out = pool.submit(ask, server, FREE)
            server.until('fireside_waiting{engine="text"}', 1)
            served = pool.submit(ask, server, FIRST)
            assert pushed_out.result(20).json()["error"]["code"] == "overloaded"
        assert served.result(20).status_code == 200


def test_who_leaves_the_queue_is_not_served(server: Server) -> None:
    with streaming(server), streaming(server):
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0)) as leaving:
            body = json.dumps(SHORT).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-API-Key: {FREE}\r\nContent-Type: application/json\r\n"
            leaving.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            server.until('fireside_waiting{engine="text"}', 1)
        server.until('fireside_waiting{engine="text"}', 0)


def test_a_stream_that_falls_silent_ends_with_an_error(server: Server) -> None:
    asked = {**LONG, "messages": [{"role": "user", "content": "hang"}]}
    lines = [line for line in ask(server, asked=asked).text.split("\n\n") if line]
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "engine_timeout"
    assert lines[-1] == "data: [DONE]"


def test_a_text_of_bentoml_s_that_falls_silent_ends_with_an_error(server: Server) -> None:
    answer = httpx.post(f"{server.url}/generate", json={"prompt": "hang"}, headers={"X-API-Key": FREE}, timeout=30)
    assert json.loads(answer.text.split("event: error\ndata: ")[1])["error"]["code"] == "engine_timeout"


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/completions", "/generate"])
def test_a_text_that_is_too_slow_to_begin_is_an_error(slow: Server, route: str) -> None:
    asked = {"messages": SHORT["messages"]} if route == "/v1/chat/completions" else {"prompt": "Well?"}
    body = {**asked, "max_tokens": 5} | ({} if route == "/generate" else {"model": "mock-text"})
    whole = httpx.post(slow.url + route, json=body, timeout=30)
    assert (whole.status_code, whole.json()["error"]["code"]) == (504, "engine_timeout")
    if route != "/generate":  # whose status waits for its first text
        lines = httpx.post(slow.url + route, json=body | {"stream": True}, timeout=30).text.split("\n\n")
        assert json.loads(lines[0].removeprefix("data: "))["error"]["code"] == "engine_timeout"
        assert lines[1] == "data: [DONE]"


def test_more_sockets_than_may_be_are_told_and_closed(server: Server) -> None:
    url, key = f"{server.url.replace('http', 'ws')}/ws", {"X-API-Key": FREE}
    named = {**key, "X-Request-Id": "one-too-many"}
    with connect(url, additional_headers=key), connect(url, additional_headers=key), connect(url, additional_headers=named) as third:
        assert json.loads(third.recv())["error"]["code"] == "overloaded"
        with pytest.raises(ConnectionClosed) as closed:
            third.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    *_, line = server.lines("one-too-many", "socket")
    assert line["status"] == 101


def test_a_browser_hears_that_there_are_too_many_sockets(server: Server) -> None:
    """It opens none that agrees to no subprotocol of those that it offers, and its key is one."""
    url, key = f"{server.url.replace('http', 'ws')}/v1/realtime", {"X-API-Key": FREE}
    offered: Any = ["realtime", f"openai-insecure-api-key.{FREE}"]
    with connect(url, additional_headers=key), connect(url, additional_headers=key), connect(url, subprotocols=offered) as third:
        assert third.subprotocol == "realtime"
        assert json.loads(third.recv())["error"]["code"] == "overloaded"


def test_a_client_that_does_not_read_is_let_go() -> None:
    limits = {"FIRESIDE_LIMITS__SEND_TIMEOUT": "0.5", "FIRESIDE_TEXT__MOCK__MAX_MODEL_LEN": "1000000"}
    with serve("mock", **limits) as server, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", httpx.URL(server.url).port or 0))
        body = json.dumps(LONG | {"max_tokens": 900_000}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        reader.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert reader.recv(64).startswith(b"HTTP/1.1 200")
        server.until('fireside_requests_total{outcome="cancelled",route="/v1/chat/completions"}', 1)
        server.until('fireside_running{engine="text"}', 0)


def test_no_socket_takes_a_connection_from_under_an_answer() -> None:
    with serve("mock", FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND="20") as server:
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=30) as both:
            body = json.dumps(LONG | {"max_tokens": 1000}).encode()
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            both.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert both.recv(64).startswith(b"HTTP/1.1 200")
            both.sendall(HANDSHAKE)
            with suppress(ConnectionError):
                while both.recv(65536):
                    pass
        server.until('fireside_running{engine="text"}', 0)


def test_a_socket_whose_client_does_not_read_is_let_go() -> None:
    with serve("mock", FIRESIDE_LIMITS__SEND_TIMEOUT="0.5") as server, socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", httpx.URL(server.url).port or 0))
        raw.sendall(HANDSHAKE)
        assert raw.recv(64).startswith(b"HTTP/1.1 101")
        raw.sendall(Frame(Opcode.TEXT, b"He put another log on the fire. " * 120).serialize(mask=True))
        server.until('fireside_requests_total{outcome="cancelled",route="/ws"}', 1, 30)  # and not for want of a pong, after 40 s
        server.until('fireside_running{engine="speech"}', 0)


def test_a_socket_on_which_nothing_happens_is_closed() -> None:
    with serve("mock", FIRESIDE_LIMITS__IDLE_TIMEOUT="0.5") as server, connect(f"{server.url.replace('http', 'ws')}/ws") as silent:
        assert json.loads(silent.recv())["error"]["code"] == "request_timeout"
        with pytest.raises(ConnectionClosed) as closed:
            silent.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
