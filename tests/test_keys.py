"""A server with API keys, as its clients meet it: over HTTP, over sockets, from the command line."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import websockets
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from cli import app
from commands import keys
from settings import keys_file
from tests.servers import Server, serve
from tests.waiting import looks


def command(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["keys", *arguments], env={"FIRESIDE_HOME": str(home)})
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def key(home: Path) -> str:
    return command(home, "add", "alice")


@pytest.fixture(scope="module")
def server(home: Path, key: str) -> Iterator[Server]:
    limits = {"MAX_HEADER_BYTES": "4096", "HEADER_TIMEOUT": "0.5", "BODY_TIMEOUT": "2"}
    given = {f"FIRESIDE_LIMITS__{name}": value for name, value in limits.items()}
    given |= {"FIRESIDE_LISTENING__ENGINE": "mock", "FIRESIDE_TEXT__MOCK__TOKENS_PER_SECOND": "60"}
    with serve("mock", FIRESIDE_HOME=str(home), **given) as running:
        yield running


def sockets(server: Server, path: str) -> str:
    return server.url.replace("http", "ws") + path


def test_the_sdk_comes_in_with_its_key(server: Server, key: str) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
    assert client.models.list().data
    with pytest.raises(openai.AuthenticationError, match="none of this server's"):
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-wrong", max_retries=0).models.list()


def test_generate_of_bentoml_is_guarded_too(server: Server, key: str) -> None:
    asked = {"prompt": "Hello", "max_tokens": 4}
    assert httpx.post(f"{server.url}/generate", json=asked).status_code == 401
    assert httpx.post(f"{server.url}/generate", json=asked, headers={"X-API-Key": key}).text


@pytest.mark.parametrize("path", ["/ws", "/v1/audio/speech/stream", "/v1/realtime?model=gpt-realtime", "/v1/text-to-speech/x/stream-input"])
def test_a_socket_without_a_key_is_not_opened(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(sockets(server, path)):
        pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "xi-api-key"])
def test_a_socket_comes_in_by_a_header(server: Server, key: str, header: str) -> None:
    value = f"Bearer {key}" if header == "Authorization" else key
    with connect(sockets(server, "/ws"), additional_headers={header: value}) as socket:
        socket.send("Hello.")
        assert socket.recv()


@pytest.mark.parametrize(("path", "offered"), [("/ws", "fireside"), ("/v1/realtime?model=gpt-realtime", "realtime")])
def test_a_browser_s_socket_comes_in_by_a_subprotocol_that_is_not_agreed_to(server: Server, key: str, path: str, offered: str) -> None:
    protocols: Any = [offered, f"openai-insecure-api-key.{key}"]
    with connect(sockets(server, path), subprotocols=protocols) as socket:
        assert socket.subprotocol == offered


def test_a_page_from_elsewhere_opens_no_socket_of_a_server_without_keys(tmp_path: Path) -> None:
    with serve("mock", FIRESIDE_HOME=str(tmp_path)) as open_server:
        with pytest.raises(InvalidStatus) as refused, connect(sockets(open_server, "/ws"), origin=websockets.Origin("https://evil.com")):
            pass
        assert refused.value.response.status_code == 403
        with connect(sockets(open_server, "/ws"), origin=websockets.Origin(open_server.url)) as socket:
            socket.send("Hello.")
            assert socket.recv()
        assert "no API keys: only this machine is served" in open_server.log.read_text()


def test_to_speak_and_to_hear_in_a_chat_takes_a_key_that_opens_it(server: Server, home: Path) -> None:
    key = command(home, "add", "writer", "--scopes", "text")
    until(lambda: httpx.get(f"{server.url}/v1/models", headers={"X-API-Key": key}).status_code == 200)
    recording = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    aloud = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    for said, extra, missing in (("Hi.", {}, ""), ("Hi.", aloud, "speech"), ([recording], {}, "listening")):
        asked = {"model": "mock-text", "messages": [{"role": "user", "content": said}], **extra}
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=asked, headers={"X-API-Key": key})
        assert answer.status_code == (403 if missing else 200)
        assert f"does not open {missing}" in answer.text or not missing


def test_keys_change_while_it_runs(server: Server, home: Path) -> None:
    def status(key: str) -> int:
        return httpx.get(f"{server.url}/v1/models", headers={"X-API-Key": key}).status_code

    first = command(home, "add", "bob", "--scopes", "speech")
    until(lambda: status(first) == 200)
    second = command(home, "rotate", "bob")
    until(lambda: status(first) == 401)
    assert status(second) == 200
    assert "bob" in command(home, "list")
    command(home, "remove", "bob")
    until(lambda: status(second) == 401)


def test_a_key_that_is_removed_ends_its_sockets(server: Server, home: Path) -> None:
    key = command(home, "add", "carl", "--scopes", "speech")
    until(lambda: httpx.get(f"{server.url}/v1/models", headers={"X-API-Key": key}).status_code == 200)
    with connect(sockets(server, "/ws"), additional_headers={"X-API-Key": key}) as talk:
        talk.send("He put another log on the fire. " * 120)
        assert isinstance(talk.recv(), bytes)
        command(home, "remove", "carl")
        until(lambda: httpx.get(f"{server.url}/v1/models", headers={"X-API-Key": key}).status_code == 401)
        talk.send("And more.")
        with pytest.raises(ConnectionClosed) as closed:
            while isinstance(told := talk.recv(), bytes):
                pass
            assert json.loads(told)["error"]["code"] == "invalid_api_key"
            talk.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert "unexpected error" not in server.log.read_text()


def until(true: Any) -> None:
    """A change is to hold within a second; a slow machine has a minute."""
    assert any(true() for _ in looks(every=0.05))


def test_nothing_of_a_key_is_in_the_log(server: Server, key: str) -> None:
    httpx.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {key}"})
    httpx.get(f"{server.url}/v1/models", headers={"Authorization": "Bearer sk-secret-that-is-wrong"})
    offered: Any = [f"openai-insecure-api-key.{key}"]
    with connect(sockets(server, "/ws"), subprotocols=offered):
        pass
    log = server.log.read_text()
    assert "API keys are asked for" in log
    for secret in (key, "sk-secret-that-is-wrong", keys_file.hashed(key)):
        assert secret not in log


def raw(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=60) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("head", [b"X-A: " + b"a" * 600_000, b"".join(b"X-%d: a\r\n" % number for number in range(60_000))])
def test_a_head_without_end_is_cut_off(server: Server, head: bytes) -> None:
    try:
        answer = raw(server, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + head)
    except ConnectionError:
        return  # it was closed while there was more to come
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_head_that_does_not_come_is_not_waited_for(server: Server) -> None:
    assert raw(server, b"GET /livez HT").startswith(b"HTTP/1.1 408 ")
    assert raw(server, b"").startswith(b"HTTP/1.1 408 ")


def test_a_request_behind_another_does_not_end_it_by_what_comes_after(server: Server, key: str) -> None:
    """Nothing more is read while it waits: the next head is not late, until there is nothing left to wait for."""
    body = json.dumps({"model": "mock-text", "messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 100})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    began = time.monotonic()
    answers = raw(server, f"{head}Content-Length: {len(body)}\r\n\r\n{body}GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HT".encode())
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"200", b"408"]
    assert time.monotonic() - began > 1, "the first was to take longer than a head may"


def test_trailers_without_end_are_cut_off(server: Server, key: str) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    try:
        answer = raw(server, head.encode() + b"2\r\n{}\r\n0\r\n" + b"X-A: a\r\n" * 60_000)
    except ConnectionError:
        return  # it was closed while there was more to come
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_trailer_is_no_header(server: Server, key: str) -> None:
    """It comes when its request has been let in already, or not."""
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(server, head + b"2\r\n{}\r\n0\r\nX-API-Key: " + key.encode() + b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/livez", "/web/nothing"])
def test_nobody_s_body_is_not_waited_for(server: Server, path: str) -> None:
    """Nor taken without end, once there is an answer."""
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=60) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n".encode())
        assert connection.recv(65536).startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 404 ", b"HTTP/1.1 200 "))
        with pytest.raises(ConnectionError):
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.1)


@pytest.mark.parametrize(("length", "rest"), [(0, b"\r\n"), (1, b"x")])
def test_a_connection_on_which_no_request_begins_is_closed(server: Server, length: int, rest: bytes) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=30) as connection:
        connection.sendall(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        connection.sendall(rest)
        while connection.recv(65536):
            pass


def test_a_connection_that_is_kept_has_the_time_for_each_head_anew(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for _ in range(3):
            assert client.get("/livez").status_code == 200


def test_without_keys_others_are_not_listened_to(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"], env={"FIRESIDE_HOME": str(tmp_path), "FIRESIDE_PROFILE": "mock"})
    assert done.exit_code == 1
    for words in ("0.0.0.0", "fireside keys add NAME", "FIRESIDE_ACCESS__OPEN=true"):
        assert words in done.stderr


def test_a_key_is_shown_once_and_kept_by_its_hash(tmp_path: Path) -> None:
    key = command(tmp_path, "add", "carol", "--scopes", "text,admin", "--tokens-per-minute", "1000")
    kept = (tmp_path / "keys.yaml").read_text()
    assert key.startswith("fs-")
    assert key not in kept
    assert keys_file.hashed(key) in kept
    assert "tokens_per_minute: 1000" in kept
    for arguments, words in (
        (("add", "carol"), "rotate carol"),
        (("add", "../x"), "no name"),
        (("add", "d", "--scopes", "all"), "no scope"),
    ):
        done = CliRunner().invoke(app, ["keys", *arguments], env={"FIRESIDE_HOME": str(tmp_path)})
        assert done.exit_code == 1
        assert words in done.stderr


def test_commands_that_run_at_once_lose_nothing_of_each_other_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESIDE_HOME", str(tmp_path))
    monkeypatch.setenv("FIRESIDE_PROFILE", "mock")
    old, new = [f"old-{number}" for number in range(20)], [f"new-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keys.add, old))
        assert sorted(keys_file.read(tmp_path / "keys.yaml")) == sorted(old)
        changes = [*(partial(keys.remove, name) for name in old), *(partial(keys.add, name) for name in new)]
        list(pool.map(lambda change: change(), changes))
    assert sorted(keys_file.read(tmp_path / "keys.yaml")) == sorted(new)
