"""Every request has an id: the client's x-request-id or a new one. It goes to the engines, the logs and back to the client."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from api import entries
from models.base import ASGIApp, Receive, Scope, Send

_HEADER = b"x-request-id"
# An id goes into logs and engine calls: a client cannot smuggle anything else in with it.
_FIT = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def request_id(scope: Scope) -> str:
    """The id of the request, as RequestIds has settled it."""
    return str(scope["fireside.request_id"])


_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
# With every answer: no browser guesses its kind, frames it, hands it to pages from elsewhere, or tells them where it was.
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class RequestIds:
    """ASGI middleware: settles the id, hands it on as a header to apps within, and returns it to the client, with SECURITY."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != _HEADER]
        sent = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        name = sent if _FIT.fullmatch(sent) else uuid4().hex.encode()
        entry = entries.current()
        entry.request_id = name.decode()
        scope = {**scope, "headers": [*headers, (_HEADER, name)], "fireside.request_id": entry.request_id}

        begun = False

        async def tagged(message: Any) -> None:
            nonlocal begun
            if message["type"] in _STARTS:
                if not begun:  # what comes after the first goes to nobody
                    entry.status, begun = message.get("status", 101), True
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER]
                named = {pair[0].lower() for pair in kept}
                added = [pair for pair in SECURITY if pair[0] not in named]
                message = {**message, "headers": [*kept, *added, (_HEADER, name)]}
            await send(message)

        await self.app(scope, receive, tagged)
