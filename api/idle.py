"""Sockets that have to be closed: where nothing happens any more, and where the key that opened them is no key any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any

from api import errors
from api.streaming import GONE
from models.base import Receive, Send
from models.errors import FiresideError, TooSlow

CLOSED = "the socket was closed here"


class Idle:
    """`receive` and `send` of a socket, which tell `seconds` of silence in both directions as the client's leaving.

    So is a message for which `check` raises.
    """

    def __init__(self, receive: Receive, send: Send, seconds: float, check: Callable[[], object]) -> None:
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._check = check
        self._sent = monotonic()
        self._closed = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self._closed:
            raise OSError(CLOSED)
        self._sent = monotonic()
        try:
            await self._send(message)
        except RuntimeError as error:
            if not self._closed:
                raise
            raise OSError(CLOSED) from error  # while it waited for the client to read

    async def receive(self) -> MutableMapping[str, Any]:
        try:
            message = await self._in_time()
            if message["type"] == "websocket.receive":
                self._check()
        except FiresideError as error:
            self._closed = True
            with suppress(OSError, *GONE):
                await errors.hang_up(error, self._send)
            return {"type": "websocket.disconnect", "code": errors.refusal(error).close}
        return message

    async def _in_time(self) -> MutableMapping[str, Any]:
        left = self._seconds
        while left > 0:
            try:
                async with asyncio.timeout(left):
                    return await self._receive()
            except TimeoutError:
                left = self._sent + self._seconds - monotonic()
        raise TooSlow(f"nothing happened on this socket for {self._seconds:g} s (limits.idle_timeout): open another one.")
