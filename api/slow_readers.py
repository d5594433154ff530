"""Connections whose clients do not read what they have asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from settings.limits import Limits

LEAST_READ = 48 << 10
"""Bytes; of a stream no more than some 64 kB wait before its maker does."""


class SlowReader:
    """Cuts the connection where, while more waits to be sent than should, less than LEAST_READ is read in `seconds`."""

    def __init__(self, transport: Any, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def wait(self) -> None:
        self._unread = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._cut_unless_read)

    def done(self) -> None:
        """There is room again, or the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _cut_unless_read(self) -> None:
        if self._unread - self._transport.get_write_buffer_size() < LEAST_READ:
            self._transport.abort()
        else:
            self.wait()


class PatientWriter(asyncio.Protocol):
    """Mixed into uvicorn's protocols, which wait for ever for a client that does not read: a limit for that."""

    limits = Limits()
    _reader: SlowReader

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._reader = SlowReader(transport, self.limits.send_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.done()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More waits to be sent than should: whoever made it waits, and holds what it holds."""
        super().pause_writing()
        self._reader.wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader.done()
