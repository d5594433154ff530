"""Connections whose clients do not read what they have asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from settings.limits import Limits

LEAST_READ = 48 << 10
"""Bytes; of a stream no more than some 64 kB wait before its maker does."""
FAREWELL = 5.0
"""Seconds in which a client has to read as much where its connection is closed already, and the server ends."""


class SlowReader:
    """Cuts the connection where less than LEAST_READ is read in `seconds` while more waits to be sent than should, or while it closes: an
    orderly close waits until all is read."""

    def __init__(self, transport: Any, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._waiting: asyncio.TimerHandle | None = None
        self._unread = 0
        self._closing: int | None = None
        """What was unread at the last look, if it was closing then."""
        self._look = self._later(seconds, self._cut_unless_closed)

    def wait(self) -> None:
        self._unread = self._transport.get_write_buffer_size()
        self._waiting = self._later(self._seconds, self._cut_unless_read)

    def done(self) -> None:
        """There is room again."""
        if self._waiting is not None:
            self._waiting.cancel()

    def hurry(self) -> None:
        """The server ends."""
        if self._transport.is_closing():
            self._look.cancel()
            self._seconds = min(FAREWELL, self._seconds)
            self._closing = self._transport.get_write_buffer_size()
            self._look = self._later(self._seconds, self._cut_unless_closed)

    def end(self) -> None:
        """The connection has ended, or is somebody else's."""
        self.done()
        self._look.cancel()

    @staticmethod
    def _later(seconds: float, call: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, call)

    def _cut_unless_read(self) -> None:
        if self._unread - self._transport.get_write_buffer_size() < LEAST_READ:
            self._transport.abort()
        else:
            self.wait()

    def _cut_unless_closed(self) -> None:
        unread = self._transport.get_write_buffer_size()
        if self._closing is not None and self._closing - unread < LEAST_READ:
            self._transport.abort()
            return
        self._closing = unread if self._transport.is_closing() else None
        self._look = self._later(self._seconds, self._cut_unless_closed)


class PatientWriter(asyncio.Protocol):
    """Mixed into uvicorn's protocols, which wait for ever for a client that does not read: a limit for that."""

    limits = Limits()
    _reader: SlowReader

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._reader = SlowReader(transport, self.limits.send_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More waits to be sent than should: whoever made it waits, and holds what it holds."""
        super().pause_writing()
        self._reader.wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader.done()
