"""Encoded audio into what cannot be gone back in: standard output, a pipe, a device."""

from __future__ import annotations

import os
import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio

from models.base import Audio
from voice.encode import Format, ThreadedEncoder


class Stream:
    """Begins with the first audio; a `write` waits for the reader."""

    def __init__(self, descriptor: int, format: Format) -> None:  # noqa: A002 (the user's word for it)
        self._descriptor = descriptor
        self._format: Format = format
        self._encoder: ThreadedEncoder | None = None

    async def write(self, audio: Audio) -> None:
        if self._encoder is None:
            self._encoder = ThreadedEncoder(self._format, audio.rate)
        await self._send(await self._encoder.encode(audio))

    async def finish(self) -> None:
        if self._encoder is not None:
            await self._send(await self._encoder.close())

    async def close(self) -> None:
        if self._encoder is not None:
            await self._encoder.close()

    async def _send(self, data: bytes) -> None:
        while data:
            await self._writable()
            # No more than a pipe takes at once when it takes anything: the descriptor is not ours to make non-blocking.
            data = data[os.write(self._descriptor, data[: select.PIPE_BUF]) :]

    async def _writable(self) -> None:
        with suppress(PermissionError):  # a file, or /dev/null: always ready, and no event loop takes it
            await anyio.wait_writable(self._descriptor)


@asynccontextmanager
async def streaming(descriptor: int, format: Format) -> AsyncGenerator[Stream, None]:  # noqa: A002
    stream = Stream(descriptor, format)
    try:
        yield stream
        await stream.finish()
    finally:
        await stream.close()
