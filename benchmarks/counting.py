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


@dataclass
class _Stream:
    socket: socket.socket
    tail: bytes = b""
    head: bytes = b""
    chunks: int = field(default=0)

    def take(self, data: bytes) -> None:
        # The tail is one byte short of the mark, so that no mark is counted twice.
        self.head = self.head or data[:15]
        seen = self.tail + data
        self.chunks += seen.count(MARK)
        self.tail = seen[-(len(MARK) - 1) :]


def count(port: int, model: str, streams: int, tokens: int, avoid: int | None = None) -> Count:
    """Open `streams` chat streams of `tokens` tokens and read them to their ends, on any core but `avoid`.

    Raises RuntimeError for a stream that failed or is short.
    """
    if avoid is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {avoid})
    request = _request(model, tokens)
    selector, began, cpu = selectors.DefaultSelector(), perf_counter(), process_time()
    opened = [_open(port, request, selector) for _ in range(streams)]
    _drain(selector, streams)
    wall, busy = perf_counter() - began, process_time() - cpu
    for stream in opened:
        if b" 200" not in stream.head or stream.chunks < tokens:
            raise RuntimeError(f"expected {tokens} chunks with status 200, got {stream.chunks} after {stream.head!r}")
    return Count(sum(stream.chunks for stream in opened), wall, busy / wall)


def _request(model: str, tokens: int) -> bytes:
    content = {
        "model": model,
        "messages": [{"role": "user", "content": "Count."}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
    }
    body = orjson.dumps(content)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _open(port: int, request: bytes, selector: selectors.BaseSelector) -> _Stream:
    stream = _Stream(socket.create_connection(("127.0.0.1", port)))
    stream.socket.sendall(request)
    stream.socket.setblocking(False)
    selector.register(stream.socket, selectors.EVENT_READ, stream)
    return stream


def _drain(selector: selectors.BaseSelector, left: int) -> None:
    while left:
        for key, _ in selector.select():
            stream: _Stream = key.data
            if data := stream.socket.recv(1 << 18):
                stream.take(data)
            else:
                selector.unregister(stream.socket)
                stream.socket.close()
                left -= 1
