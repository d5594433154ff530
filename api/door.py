"""In front of every route: who may come in, and with how much."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from api import accounts, body, entries, errors, metrics, scopes
from api.body import Room, Take
from api.callers import check_host, check_machine, check_origin
from api.idle import Idle
from api.keys import ANYBODY, HOLDER, Holder, KeyRing, require
from api.streaming import Disconnected, answer_nobody
from models.base import ASGIApp, Receive, Scope, Send
from models.errors import FiresideError, InvalidInput, Overloaded, Unauthorized
from settings.access import Access
from settings.whole import Settings

log = logging.getLogger(__name__)

ROUTE = "(door)"
"""What metrics call the place where these requests end."""
PROTOCOL = "openai-insecure-api-key."
"""Browsers cannot give a socket headers: its key comes as a subprotocol, as OpenAI's do."""
STANDING = "fireside.standing"
"""Where a socket has what tells whose key opened it, or raises once that is no key any more: it is asked at every message."""
_BEARER = "bearer "
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEY_HEADERS = frozenset({b"authorization", b"x-api-key", b"xi-api-key"})


@dataclass(frozen=True, slots=True)
class Caller:
    """What the request says of itself."""

    key: str | None
    host: str
    origin: str | None
    client: tuple[str, int] | None


class Door:
    """ASGI middleware. Within it, `scope[HOLDER]` is whose key came, and `scope["fireside.key"]` its name; the key is gone."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: KeyRing, books: accounts.Accounts) -> None:
        self.app = app
        self.keys = keys
        self.accounts = books
        self.sockets = 0
        self.room = Room(settings.limits)
        self.access: Access = settings.access
        self.limits = settings.limits
        log.info("%s", _who(keys, self.access))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        with ExitStack() as held:
            try:
                scope = self._let_in(scope)
                if scope["type"] == "http":
                    if scopes.works(scope["path"]):
                        held.enter_context(self.accounts.entering(scope[HOLDER]))
                    receive = await self._bounded(scope, receive, held.enter_context(self.room.share(scope[HOLDER].name)))
                else:
                    held.enter_context(self._open_socket())
                    watched = Idle(receive, _agreeing(scope, send), self.limits.idle_timeout, scope[STANDING])
                    receive, send = watched.receive, watched.send
            except Disconnected as error:
                metrics.refused(ROUTE, error)
                await answer_nobody(send)
            except FiresideError as error:
                metrics.refused(ROUTE, error)
                await _refuse(error, scope, receive, send)
            else:
                await self.app(scope, receive, send)

    @contextmanager
    def _open_socket(self) -> Iterator[None]:
        if self.sockets >= self.limits.max_sockets:
            raise Overloaded(f"{self.sockets} sockets are open, as many as may be (limits.max_sockets): try again later.")
        self.sockets += 1
        try:
            yield
        finally:
            self.sockets -= 1

    async def _bounded(self, scope: Scope, receive: Receive, take: Take) -> Receive:
        """Recordings are taken in by their own route, as they come; and of what is open to everybody nothing is taken in."""
        if scopes.is_open(scope["path"]):
            return receive
        if scope["path"] in scopes.UPLOADS:
            return body.in_time(receive, self.limits)
        return await body.whole(scope, receive, self.limits, take)

    def _let_in(self, scope: Scope) -> Scope:
        path = scope["path"]
        _check_path(path)
        standing = _anybody if scopes.is_open(path) else partial(self._holder, path, _caller(scope))
        holder = standing()
        inside = {**scope, HOLDER: holder, "fireside.key": holder.name}
        inside["headers"] = [pair for pair in scope["headers"] if pair[0] not in _KEY_HEADERS]
        if scope["type"] == "websocket":
            inside[STANDING] = standing
            inside[accounts.ENTER] = lambda: self.accounts.entering(standing())
            inside["subprotocols"] = [offered for offered in scope.get("subprotocols", ()) if not offered.startswith(PROTOCOL)]
            inside["headers"] = [pair for pair in inside["headers"] if pair[0] != b"sec-websocket-protocol"]
        return inside

    def _holder(self, path: str, caller: Caller) -> Holder:
        self.keys.refresh()
        if not self.keys.required:
            check_machine(caller.client, self.access)
            check_host(caller.host, self.access)
            if caller.origin is not None:
                check_origin(caller.origin, caller.host, self.access)
            return ANYBODY
        if path == scopes.METRICS and self.access.metrics == "open":
            return ANYBODY
        return self._checked(path, caller.key)

    def _checked(self, path: str, key: str | None) -> Holder:
        if not key:
            raise Unauthorized("no API key came: send one as `Authorization: Bearer KEY` or `x-api-key: KEY`.")
        holder = self.keys.holder(key)
        if holder is None:
            raise Unauthorized("the API key that came is none of this server's: check it, or ask who runs the server for one.")
        entries.current().key = holder.name
        require(holder, *scopes.wanted(path))
        return holder


def _check_path(path: str) -> None:
    """Routers take a path that ends in a line feed for the one without it: here it would be another, which asks for no scope."""
    if found := _CONTROL.search(path):
        raise InvalidInput(f"the path has the control character %{ord(found.group()):02X}: leave it out.")


def _anybody() -> Holder:
    return ANYBODY


async def _refuse(error: FiresideError, scope: Scope, receive: Receive, send: Send) -> None:
    """Whom there is no room for is let in to hear it: a browser cannot read why a socket was not opened."""
    if scope["type"] == "http" or not isinstance(error, Overloaded):
        await errors.response(error)(scope, receive, send)
        return
    await receive()
    send = _agreeing(scope, send)
    await send({"type": "websocket.accept"})
    await errors.hang_up(error, send)


def _who(keys: KeyRing, access: Access) -> str:
    if keys.required:
        return "API keys are asked for"
    return "no API keys: everybody is served (access.open)" if access.open else "no API keys: only this machine is served"


def _caller(scope: Scope) -> Caller:
    headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
    key = _key(headers, scope.get("subprotocols") or ())
    return Caller(key, headers.get(b"host", ""), headers.get(b"origin"), scope.get("client"))


def _key(headers: dict[bytes, str], offered: tuple[str, ...] | list[str]) -> str | None:
    authorization = headers.get(b"authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    found = headers.get(b"x-api-key") or headers.get(b"xi-api-key")
    return found or next((protocol.removeprefix(PROTOCOL) for protocol in offered if protocol.startswith(PROTOCOL)), None)


def _agreeing(scope: Scope, send: Send) -> Send:
    """A browser that offers subprotocols closes a socket which agrees to none of them: where the route has no choice, the first will do."""
    offered = scope["subprotocols"]
    if not offered:
        return send

    async def agreeing(message: Any) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": offered[0]}
        await send(message)

    return agreeing
