"""Sockets on which nothing happens any more are closed: a client that has forgotten one holds it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any

from api import errors
from api.streaming import GONE
from models.base import Receive, Send
from models.errors import TooSlow


class Idle:
    """`receive` and `send` of a socket, which tell `seconds` of silence in both directions as the client's leaving."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._sent = monotonic()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self._sent = monotonic()
        await self._send(message)

    async def receive(self) -> MutableMapping[str, Any]:
        left = self._seconds
        while True:
            try:
                async with asyncio.timeout(left):
                    return await self._receive()
            except TimeoutError:
                left = self._sent + self._seconds - monotonic()
                if left <= 0:
                    break
        await self._close()
        return {"type": "websocket.disconnect", "code": errors.refusal(TooSlow()).close}

    async def _close(self) -> None:
        error = TooSlow(f"nothing happened on this socket for {self._seconds:g} s (limits.idle_timeout): open another one.")
        with suppress(OSError, *GONE):
            await errors.hang_up(error, self._send)
