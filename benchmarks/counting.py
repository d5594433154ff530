"""A client that only counts chunks: non-blocking sockets, no parsing, so that it is never what limits a server."""

from __future__ import annotations

import os
import selectors
import socket
from dataclasses import dataclass, field
from time import perf_counter, process_time

import orjson

MARK = b"data: {"


@dataclass(frozen=True, slots=True)
class Count:
    chunks: int
    wall: float
    """Seconds."""
    busy: float
    """Share of one core that the client itself used: near 1 it would be measuring itself."""

    @property
    def rate(self) -> float:
        return self.chunks / self.wall


@dataclass(eq=False)
class _Stream:
    socket: socket.socket
    tail: bytes = b""
    head: bytes = b""
    chunks: int = field(default=0)
    began: float = field(default_factory=perf_counter)
    first: float = 0.0
    """When its first chunk came."""

    def take(self, data: bytes) -> None:
        # The tail is one byte short of the mark, so that no mark is counted twice.
        self.head = self.head or data[:15]
        seen = self.tail + data
        self.chunks += seen.count(MARK)
        if self.chunks and not self.first:
            self.first = perf_counter()
        self.tail = seen[-(len(MARK) - 1) :]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask for how much: `streams` chat streams of `tokens` tokens, read on any core but `avoid`."""

    port: int
    model: str
    streams: int
    tokens: int
    avoid: int | None = None
    key: str = ""

    def begin(self) -> None:
        if self.avoid is not None:
            os.sched_setaffinity(0, os.sched_getaffinity(0) - {self.avoid})


def count(asked: Asked) -> Count:
    """Open all streams and read them to their ends. Raises RuntimeError for a stream that failed or is short."""
    asked.begin()
    request = _request(asked, asked.tokens)
    selector, began, cpu = selectors.DefaultSelector(), perf_counter(), process_time()
    opened = [_open(asked.port, request, selector) for _ in range(asked.streams)]
    left = asked.streams
    while left:
        left -= len(_ended(selector))
    wall, busy = perf_counter() - began, process_time() - cpu
    _check(opened, asked.tokens)
    return Count(sum(stream.chunks for stream in opened), wall, busy / wall)


def newcomers(asked: Asked) -> list[float]:
    """While all streams run, one more at a time comes for two tokens: how long each waits for its first, in seconds."""
    asked.begin()
    request, short = _request(asked, asked.tokens), _request(asked, 2)
    selector = selectors.DefaultSelector()
    running = [_open(asked.port, request, selector) for _ in range(asked.streams)]
    while not all(stream.chunks for stream in running):
        _ended(selector)
    came = [_open(asked.port, short, selector)]
    while not (ended := _ended(selector)) or came[-1] in ended:
        if came[-1] in ended:
            came.append(_open(asked.port, short, selector))
    for stream in running:
        stream.socket.close()
    _check(came[:-1], 2)
    return [stream.first - stream.began for stream in came[:-1]]


def _check(streams: list[_Stream], tokens: int) -> None:
    for stream in streams:
        if b" 200" not in stream.head or stream.chunks < tokens:
            raise RuntimeError(f"expected {tokens} chunks with status 200, got {stream.chunks} after {stream.head!r}")


def _request(asked: Asked, tokens: int) -> bytes:
    content = {
        "model": asked.model,
        "messages": [{"role": "user", "content": "Count."}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
    }
    body = orjson.dumps(content)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: Bearer {asked.key}\r\n" if asked.key else ""
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _open(port: int, request: bytes, selector: selectors.BaseSelector) -> _Stream:
    stream = _Stream(socket.create_connection(("127.0.0.1", port)))
    stream.socket.sendall(request)
    stream.socket.setblocking(False)
    selector.register(stream.socket, selectors.EVENT_READ, stream)
    return stream


def _ended(selector: selectors.BaseSelector) -> list[_Stream]:
    """Read what there is. Returns the streams that have ended."""
    ended = []
    for key, _ in selector.select():
        stream: _Stream = key.data
        if data := stream.socket.recv(1 << 18):
            stream.take(data)
        else:
            selector.unregister(stream.socket)
            stream.socket.close()
            ended.append(stream)
    return ended
