"""uvicorn's HTTP protocol, which takes a head of any length and waits for it for ever, with a limit for both, and for what it sends."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.offers import OfferReader
from api.slow_readers import PatientWriter
from api.socket_protocol import BoundedSocketProtocol
from settings.limits import Limits

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
MOST_WAITING = 100
"""Requests of one connection, behind the one that is being answered."""


class BoundedProtocol(PatientWriter, HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser: Any = OfferReader(self)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._in_message = self._upgraded = False
        self._beside = 0
        """Bytes that came and are of no body: a head, and after it trailers and what chunks say beside their size."""
        self._head = 0
        """Of those, the ones of the head that is being read."""
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        # In one piece with its head a body may come, which has limits of its own.
        if (self._in_head or self._in_message) and self._beside > self.limits.max_header_bytes:
            self._give_up(_TOO_LARGE)
        elif not (self._in_head or self._in_message or self._answering or self._upgraded):
            self._keep()

    def handle_websocket_upgrade(self) -> None:
        """Whoever asks for one behind an answer that is being made, or read, would take the connection from under it."""
        if self._answering or self.flow.write_paused:
            self.transport.abort()
        else:
            self._upgraded = True
            self._reader.end()
            super().handle_websocket_upgrade()
            self.parser = None  # it holds this protocol, and the head

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        if not self._in_head:  # the next request of a connection that is kept
            self._beside = 0
            self._await_head()

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers, which come in a body and when its request has been let in, are left alone."""
        if self._in_head:
            self._head += len(name) + len(value)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head > self.limits.max_header_bytes:  # all of it came at once
            self._give_up(_TOO_LARGE)
            raise ValueError("the head is too large")
        if self._declines:
            return
        self._in_head, self._in_message = False, True
        self._waiting.cancel()
        super().on_headers_complete()
        if len(self.pipeline) > MOST_WAITING:  # each answer would let in hundreds more
            self.transport.abort()
            raise ValueError("too many requests wait for the answer to the one before")

    def on_body(self, body: bytes) -> None:
        self._beside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._declines:
            return
        self._in_message = False
        self._waiting.cancel()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_message and self.cycle.response_complete:  # nobody waits any more for the rest of its body, or gives up on it
            self._waiting = asyncio.get_running_loop().call_later(self.limits.body_timeout, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():  # it has its answer
            super().send_400_response(msg)

    def shutdown(self) -> None:
        super().shutdown()
        self._reader.hurry()

    @property
    def _declines(self) -> bool:
        """Another protocol is offered: this head is read again, without the offer."""
        return bool(self.parser.another) and not self._should_upgrade()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _keep(self) -> None:
        """What came was the end of a request that had its answer before, or nothing: uvicorn waits for more of it for ever."""
        if self.timeout_keep_alive_task is None and self.cycle is not None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _await_head(self) -> None:
        self._in_head = True
        self._waiting = asyncio.get_running_loop().call_later(self.limits.header_timeout, self._too_slow)

    def _too_slow(self) -> None:
        """Nothing is read while a request waits for the answer before it: the client is not to blame."""
        if self.pipeline:
            self._await_head()
        else:
            self._give_up(_TOO_SLOW)

    def _give_up(self, answer: bytes) -> None:
        amid = self._answering and (self._in_head or self.cycle.response_started)
        self._in_head = self._in_message = False
        if amid:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def install(limits: Limits) -> None:
    """From now on uvicorn's own choice, which BentoML leaves it, are these protocols."""
    for kind, protocol in ((uvicorn.config.HTTP_PROTOCOLS, BoundedProtocol), (uvicorn.config.WS_PROTOCOLS, BoundedSocketProtocol)):
        protocol.limits = limits
        kind["auto"] = f"{protocol.__module__}:{protocol.__name__}"
