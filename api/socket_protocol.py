"""uvicorn's WebSocket protocol, which waits for ever for a client that does not read, with a limit."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.slow_readers import SlowReader
from settings.limits import Limits


class BoundedSocketProtocol(WebSocketsSansIOProtocol):
    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._reader = SlowReader(transport, self.limits.send_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.done()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader.wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader.done()

    def handle_ping(self) -> None:
        """Who pings and does not read gets no more answers than fit: they would wait without end."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        """Nobody is there any more, to whom what waits could be sent before the end."""
        super().keepalive_timeout()
        self.loop.call_later(self.close_timeout, self.transport.abort)
