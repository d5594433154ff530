"""uvicorn's HTTP protocol, which takes a head of any length and waits for it for ever, with a limit for both."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from settings.limits import Limits

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
LEAST_READ = 48 << 10
"""Bytes; of a stream no more than some 64 kB wait before its maker does."""


class BoundedProtocol(HttpToolsProtocol):
    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head = 0
        self._reading: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.cancel()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        # In one piece with its head a body may come, which has limits of its own.
        if self._in_head and self._head > self.limits.max_header_bytes:
            self._give_up(_TOO_LARGE)

    def pause_writing(self) -> None:
        """More waits to be sent than should: whoever made it waits, and holds what it holds."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:  # the next request of a connection that is kept
            self._head = 0
            self._await_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._waiting.cancel()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._in_head = True
        self._waiting = asyncio.get_running_loop().call_later(self.limits.header_timeout, self._give_up, _TOO_SLOW)

    def _await_reading(self) -> None:
        """Until so much was read that there is room again."""
        self._unread = self.transport.get_write_buffer_size()
        self._reading = asyncio.get_running_loop().call_later(self.limits.send_timeout, self._cut_unless_read)

    def _cut_unless_read(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < LEAST_READ:
            self.transport.abort()
        else:
            self._await_reading()

    def _give_up(self, answer: bytes) -> None:
        self._in_head = False
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def install(limits: Limits) -> None:
    """From now on uvicorn's own choice, which BentoML leaves it, is this protocol."""
    BoundedProtocol.limits = limits
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
