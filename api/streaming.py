"""Bodies that are made while they are sent: nothing is promised before the first item is there, and a client that leaves stops the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from api import errors
from models.base import Receive, Scope, Send

T = TypeVar("T")
# nginx would gather events before it passes them on.
AS_IT_COMES = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
GONE = (WebSocketDisconnect, WebSocketDisconnected)
"""What a send to a socket raises whose client has left: at first, and from then on."""


class Cancelled(Exception):
    """The client does not want the rest."""


CLOSED = 499
"""What nginx tells of a request that its client has closed."""


class Disconnected(Cancelled):
    """The client left before the work was done."""


async def wait_disconnect(receive: Receive) -> None:
    while (await receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
        pass


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Await `work`, or cancel it and raise Disconnected when the client leaves first."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(wait_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Disconnected
        return task.result()
    finally:
        await cancel(task, gone)
        del task, gone  # an error has this frame, and with the task this frame would have the error: nothing of either were ever free


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel and wait until each has really ended, so that what they held is free."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Stream(Response):
    """Send `content` as it comes.

    An error before the first item becomes a proper refusal. After it, the connection is cut without its closing chunk, which every
    HTTP client reports as an incomplete body; a format with room for it sends an error event as its last item instead.
    """

    def __init__(self, content: AsyncGenerator[bytes, None], *, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.content = content
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.content) as content:
            try:
                await unless_gone(self._send(content, scope, receive, send), receive)
            except Disconnected:
                # Nobody hears this, but a server around us may wait for an answer for ever.
                await answer_nobody(send)

    async def _send(self, content: AsyncIterator[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(content, b"")
        except Exception as error:
            await errors.response(error)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for item in content:
            await send({"type": "http.response.body", "body": item, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def answer_nobody(send: Send) -> None:
    """After a response has begun this has no effect."""
    with suppress(RuntimeError, OSError):
        await send({"type": "http.response.start", "status": CLOSED, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
