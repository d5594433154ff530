"""Connections whose clients do not read what they have asked for."""

from __future__ import annotations

import asyncio
from typing import Any

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
