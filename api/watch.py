"""Around every request: its entry, from its coming to its end."""

from __future__ import annotations

from api import entries, metrics
from api.contents import kept
from api.entries import OTHER, Entry
from models import work
from models.base import ASGIApp, Receive, Scope, Send

PROBES = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
"""Asked all the time, by machines, and not counted."""
QUIET = PROBES | {"/v1/status"}
"""The page asks for this one as long as it is open: nothing is told of them unless they were refused."""
_KNOWN = QUIET | {"/generate", "/openapi.json"}


class Watch:
    """ASGI middleware, outside all others but CORS: it takes no part in what is sent, so that a chunk of a stream costs nothing here."""

    def __init__(self, app: ASGIApp, *, contents: bool = False) -> None:
        self.app = app
        self.contents = contents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        entry = _entry(scope)
        if self.contents and scope["type"] == "http":
            receive, send = kept(entry, receive, send)
        try:
            with work.around(entry):
                await self.app(scope, receive, send)
        except BaseException as error:
            _settle(entry, scope, metrics.outcome(error))
            raise
        else:
            _settle(entry, scope, _how(entry))
        finally:
            if scope["path"] not in QUIET or entry.status in {401, 403}:
                entries.tell(entry)


def _entry(scope: Scope) -> Entry:
    event, method = ("request", scope["method"]) if scope["type"] == "http" else ("socket", "GET")
    return Entry(event=event, method=method, headers=scope["headers"])  # type: ignore[arg-type]


def _how(entry: Entry) -> str:
    """A socket that nobody accepts is answered 403 by uvicorn."""
    if entry.event == "socket":
        entry.status = entry.status or 403
    return "ok" if entry.status < 400 else f"http_{entry.status}"


def _settle(entry: Entry, scope: Scope, how: str) -> None:
    """What no route has counted."""
    path = scope["path"]
    entry.route = entry.route or (path if path in _KNOWN else OTHER)
    if entry.outcome or path in PROBES:
        return
    if entry.on_socket:
        entry.outcome = how
    else:
        metrics.end(entry, entry.route, how)
