"""uvicorn's WebSocket protocol, which waits for ever for a client that does not read, with a limit; and with a word before the end."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.slow_readers import PatientWriter
from models.base import Scope

RESTART = 1012
"""What a socket is closed with whose server ends: come back, there will be another."""
FAREWELL = 1.0
"""Seconds that a client has for its own farewell then."""
_ENDING = "fireside.ending"


async def server_ends(scope: Scope) -> None:
    """Returns once the server was told to end. The session of the socket finishes what it has begun then, and closes it with RESTART."""
    await scope.get(_ENDING, asyncio.Event()).wait()


_UNREADABLE = b"expected a GET without a body, and at most 128 headers of 8192 bytes.\n"
_BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_UNREADABLE),
    _UNREADABLE,
)


class BoundedSocketProtocol(PatientWriter, WebSocketsSansIOProtocol):
    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing is compressed: of sound nothing would be won, and a few kB that came could be gigabytes here."""
        config.ws_per_message_deflate = False
        super().__init__(config, *args, **kwargs)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._ending = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():  # uvicorn would not answer, and wait for ever
            self.close_sent = True
            self.transport.write(_BAD_HANDSHAKE)
            self.transport.close()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope[_ENDING] = self._ending  # type: ignore[literal-required]  # a scope has room for more

    def shutdown(self) -> None:
        """uvicorn's would close it at once, whatever is on its way."""
        closing = self.transport.is_closing()
        if self.handshake_complete and not self.close_sent and not closing:
            self.close_timeout = FAREWELL
            self._ending.set()
            return
        if not closing:
            super().shutdown()
        self._reader.hurry()

    def handle_parser_exception(self) -> None:
        """Told in the farewell. What still comes of a message that is too large is thrown away: uvicorn closes on it, and the client, whose
        connection is reset then, does not hear why."""
        if self.close_sent:
            return
        farewell = self.conn.close_sent
        assert farewell is not None
        self.queue.put_nowait({"type": "websocket.disconnect", "code": farewell.code, "reason": farewell.reason})
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def handle_ping(self) -> None:
        """Who pings and does not read gets no more answers than fit: they would wait without end."""
        if self.writable.is_set() and not self.close_sent:
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        """Nobody is there any more, to whom what waits could be sent before the end."""
        super().keepalive_timeout()
        self.loop.call_later(self.close_timeout, self.transport.abort)
