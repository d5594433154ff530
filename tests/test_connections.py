"""uvicorn's protocols as they are bounded here, on real connections in this process: with clients that do what hardly any client does."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import subprocess
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.idle import Idle
from api.protocol import MOST_WAITING, BoundedProtocol
from api.socket_protocol import BoundedSocketProtocol
from models.base import ASGIApp, Receive, Scope, Send
from models.errors import Unauthorized
from settings.limits import Limits
from tests.servers import Server

pytestmark = pytest.mark.anyio
HOST = b"Host: x\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = (
    HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SOCKET = b"GET /ws HTTP/1.1\r\n" + UPGRADE + b"\r\n"
OFFER = HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
CLOSE = b"\x88\x80\0\0\0\0"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@dataclass
class Client:
    """One connection, with little room for what is not read, and what the server knows of it."""

    wire: socket.socket
    protocol: BoundedProtocol
    state: ServerState

    @property
    def transport(self) -> Any:
        return self.protocol.transport

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.wire, data)

    async def read(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.wire, 1 << 16), 60)

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        found = b""
        try:
            while piece := await self.read():
                found += piece
        except ConnectionError:
            pass
        return found


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(app: ASGIApp, **limits: float) -> AsyncIterator[Client]:
    config = Config(app, ws=BoundedSocketProtocol, lifespan="off", access_log=False, log_level="critical")
    config.load()
    state = ServerState()
    made: list[BoundedProtocol] = []

    def make() -> BoundedProtocol:
        made.append(type("Limited", (BoundedProtocol,), {"limits": Limits(**limits)})(config, state, {}))  # type: ignore[arg-type]
        made[0].ws_protocol_class = type("LimitedSocket", (BoundedSocketProtocol,), {"limits": Limits(**limits)})  # type: ignore[arg-type]
        return made[0]

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(listener.getsockname())
        wire.setblocking(False)
        theirs, _ = listener.accept()
        theirs.setblocking(False)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(make, theirs)
        yield Client(wire, made[0], state)
        transport.abort()
        await until(lambda: not state.connections and not state.tasks)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = f"{scope['method']} {scope['path']} ".encode() + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@pytest.mark.parametrize(
    "handshake",
    [
        b"POST /ws HTTP/1.1\r\n" + UPGRADE + b"\r\n",
        b"GET /ws HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 3\r\n\r\nabc",
        b"GET /ws HTTP/1.1\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n",
        b"GET /ws HTTP/1.1\r\n" + UPGRADE + b"X-A: a\r\n" * 130 + b"\r\n",
        b"GET /ws?" + b"a" * 9000 + b" HTTP/1.1\r\n" + UPGRADE + b"\r\n",
    ],
    ids=["a POST", "a body", "chunks", "too many headers", "a long line"],
)
async def test_a_handshake_that_is_none_is_told_so(handshake: bytes) -> None:
    """uvicorn waits for ever, and at SIGTERM stumbles over it, so that nobody gets the end of what is on its way."""
    async with connected(echo) as client:
        await client.send(handshake)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"expected a GET without a body" in answer
        for connection in list(client.state.connections):
            connection.shutdown()


async def test_a_server_that_ends_closes_what_has_no_handshake_yet() -> None:
    asked = asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await receive()
        await receive()

    async with connected(waits) as client:
        await client.send(SOCKET)
        await asked.wait()
        for connection in list(client.state.connections):
            connection.shutdown()
        assert (await client.rest()).startswith(b"HTTP/1.1 500 ")


async def test_many_requests_at_once_are_answered_in_their_order() -> None:
    async with connected(echo) as client:
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST) for number in range(MOST_WAITING)))
        answers = b""
        while answers.count(b"GET /") < MOST_WAITING:
            answers += await client.read()
        assert [int(number) for number in re.findall(rb"GET /(\d+)", answers)] == list(range(MOST_WAITING))


async def test_more_requests_than_are_answered_do_not_pile_up() -> None:
    async with connected(echo) as client:
        await client.send(LIVEZ * 3000)
        answers = await client.rest()
        assert answers.count(b"GET /livez") <= MOST_WAITING + 1
        assert len(client.protocol.pipeline) <= MOST_WAITING + 1


@pytest.mark.parametrize(
    "pieces",
    [
        [b"POST /a HTTP/1.1\r\n" + OFFER + b"Content-Length: 3\r\n\r\nabc"],
        [b"POST /a HTTP/1.1\r\n" + OFFER + b"Content-Length: 3\r\n\r\n", b"abc"],
        [b"POST /a HTTP/1.1\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"],
        [b"POST /a HT", b"TP/1.1\r\n" + OFFER[:90], OFFER[90:] + b"Content-Length: 3\r\n\r\na", b"bc"],
    ],
    ids=["at once", "body apart", "chunks", "torn"],
)
async def test_who_offers_http_2_is_answered_in_http_1(pieces: list[bytes]) -> None:
    """As Java's clients do with every request. What follows on the connection is no part of it."""
    async with connected(echo) as client:
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0)
        assert (await client.read()).endswith(b"POST /a abc")
        await client.send(b"GET /b HTTP/1.1\r\n" + OFFER + b"\r\n" + LIVEZ)
        answers = b""
        while not answers.endswith(b"GET /livez "):
            answers += await client.read()
        assert b"GET /b HTTP/1.1 200" in answers
        assert not client.protocol._in_head


def test_curl_may_offer_http_2(server: Server) -> None:
    body = json.dumps({"model": "mock-text", "messages": [{"role": "user", "content": "Hello"}]})
    command = ["curl", "-sSi", "--http2", f"{server.url}/v1/chat/completions", "-H", "content-type: application/json", "-d", body]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("HTTP/1.1 200 ")
    assert json.loads(done.stdout.split("\n\n")[-1])["choices"][0]["message"]["content"]


@pytest.mark.parametrize("asked", [LIVEZ, b"GET /b HTTP/1.1\r\n" + OFFER + b"\r\n", SOCKET], ids=["plain", "offer", "socket"])
async def test_nothing_is_left_of_a_connection(asked: bytes) -> None:
    """Its head has a key. What only the garbage collector finds would stay for long: the heap is frozen."""
    gc.disable()
    try:
        async with connected(echo) as client:
            await client.send(asked)
            await client.read()
            kept = weakref.ref(client.protocol)
        del client
        await until(lambda: kept() is None)
    finally:
        gc.enable()


async def test_a_tunnel_is_not_made() -> None:
    async with connected(echo) as client:
        await client.send(b"CONNECT x:80 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4000000")]})
    await send({"type": "http.response.body", "body": bytes(4_000_000)})


async def test_no_socket_begins_behind_an_answer_that_is_not_read() -> None:
    """It would not know that more waits to be sent than should."""
    async with connected(large) as client:
        await client.send(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        await until(lambda: client.state.total_requests)
        await client.send(SOCKET)
        await until(client.transport.is_closing)


def fills(client: list[Client]) -> ASGIApp:
    """Sends until something waits in the server; less than makes anybody wait."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        http = scope["type"] == "http"
        if http:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            await receive()
            await send({"type": "websocket.accept"})
        while not client[0].transport.get_write_buffer_size():
            sent = {"body": bytes(20_000), "more_body": True} if http else {"bytes": bytes(20_000)}
            await send({"type": "http.response.body" if http else "websocket.send", **sent})
            await asyncio.sleep(0)
        if http:
            await send({"type": "http.response.body", "body": b""})
        else:
            await receive()

    return app


@pytest.mark.parametrize(("asked", "then"), [(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", b""), (SOCKET, CLOSE)])
async def test_a_closed_connection_is_not_read_for_ever(asked: bytes, then: bytes) -> None:
    """Little waits, and nothing more is made: still an orderly close would wait until it is read."""
    clients: list[Client] = []
    async with connected(fills(clients), send_timeout=0.1) as client:
        clients.append(client)
        await client.send(asked)
        await until(client.transport.get_write_buffer_size)
        await client.send(then)
        await until(lambda: not client.state.connections)


@pytest.mark.parametrize(("asked", "then"), [(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", b""), (SOCKET, CLOSE)])
async def test_a_server_that_ends_waits_for_no_reader_of_a_closed_connection(
    monkeypatch: pytest.MonkeyPatch, asked: bytes, then: bytes
) -> None:
    monkeypatch.setattr("api.slow_readers.FAREWELL", 0.1)
    clients: list[Client] = []
    async with connected(fills(clients)) as client:
        clients.append(client)
        await client.send(asked)
        await until(client.transport.get_write_buffer_size)
        await client.send(then)
        await until(client.transport.is_closing)
        for connection in list(client.state.connections):
            connection.shutdown()
        await until(lambda: not client.state.connections)


async def test_sockets_do_not_inflate_what_comes() -> None:
    """A few kB could be gigabytes."""
    async with connected(echo) as client:
        await client.send(SOCKET.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
        head = await client.read()
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"deflate" not in head.lower()


async def test_a_frame_that_waits_while_its_socket_is_closed_finds_nobody() -> None:
    """Its client is behind with reading, and its key is removed."""
    closed = asyncio.Event()

    async def send(message: Any) -> None:
        if "bytes" in message:
            await closed.wait()
            raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")
        if message["type"] == "websocket.close":
            closed.set()

    async def receive() -> Any:
        return {"type": "websocket.receive", "text": "And more."}

    def check() -> None:
        raise Unauthorized("the key was removed")

    socket = Idle(receive, send, 60, check)
    frame = asyncio.create_task(socket.send({"type": "websocket.send", "bytes": b"x"}))
    await asyncio.sleep(0)
    assert await socket.receive() == {"type": "websocket.disconnect", "code": 1008}
    with pytest.raises(OSError, match="closed here"):
        await frame


@pytest.mark.parametrize("before", [b"", LIVEZ])
async def test_a_large_head_that_comes_in_one_piece_is_refused(before: bytes) -> None:
    async with connected(echo, max_header_bytes=1024) as client:
        if before:
            await client.send(before)
            assert (await client.read()).endswith(b"GET /livez ")
        await client.send(b"GET /a HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 1100 + b"\r\n\r\n")
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert answer.count(b"HTTP/1.1") == 1
