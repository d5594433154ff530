"""HTTP/1.1 over bare asyncio streams: the least a client can cost, with the arrival time of every piece.

A body that breaks off is told from one that ends: `Truncated`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

Piece = tuple[float, bytes]


class Truncated(Exception):
    """The connection ended before the body did."""


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[Piece]

    async def body(self) -> bytes:
        return b"".join([data async for _, data in self.pieces])


class Chunks:
    """Decodes chunked transfer encoding; hands out whole chunks only."""

    def __init__(self) -> None:
        self.done = False
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        data, at, payload = self._rest + data, 0, bytearray()
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line].split(b";")[0], 16)
            end = line + 2 + size
            if len(data) < end + 2:
                break
            payload += data[line + 2 : end]
            at, self.done = end + 2, size == 0
            if self.done:
                break
        self._rest = data[at:]
        return bytes(payload)


@asynccontextmanager
async def request(port: int, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> AsyncIterator[Reply]:
    """One request on a connection of its own; leaving the block closes it, finished or not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        status, headers = await _head(reader)
        yield Reply(status, headers, _pieces(reader, headers))
    finally:
        writer.close()


async def events(pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """The data of each server-sent event, with the time at which its end arrived."""
    rest = b""
    async for at, data in pieces:
        *whole, rest = (rest + data).split(b"\n\n")
        for event in whole:
            yield at, event.removeprefix(b"data: ")


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError as error:
        raise Truncated("no answer: the connection was closed") from error
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if line)}


def _pieces(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[Piece]:
    return _chunked(reader) if headers.get("transfer-encoding") == "chunked" else _plain(reader, int(headers.get("content-length", 0)))


async def _chunked(reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    chunks = Chunks()
    while not chunks.done:
        at, data = await _read(reader)
        if payload := chunks.feed(data):
            yield at, payload


async def _plain(reader: asyncio.StreamReader, length: int) -> AsyncIterator[Piece]:
    while length > 0:
        at, data = await _read(reader)
        length -= len(data)
        yield at, data


async def _read(reader: asyncio.StreamReader) -> Piece:
    data = await reader.read(1 << 18)
    at = perf_counter()
    if not data:
        raise Truncated("the connection ended in the middle of a body")
    return at, data
