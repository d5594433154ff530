"""The bodies of requests, taken in no further than is allowed, and no slower."""

from __future__ import annotations

import asyncio
import re
from collections.abc import MutableMapping
from typing import Any

from api.streaming import Disconnected
from models.base import Receive, Scope
from models.errors import InvalidInput, TooLarge, TooSlow
from settings.limits import Limits

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_BUT_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[^\[\]{}"]+', re.DOTALL)
_INNERMOST = re.compile(rb"\[\]|\{\}")
MOST_BRACKETS = 1_000_000
_Message = MutableMapping[str, Any]


async def whole(scope: Scope, receive: Receive, limits: Limits) -> Receive:
    """Take all of the body, and return what gives it on, in one piece. Raises TooLarge, TooSlow, InvalidInput, and Disconnected."""
    announced = _length(scope)
    if announced == 0 or (announced is None and scope["method"] in _BODILESS):
        return receive
    _check(announced or 0, limits)
    receive_in_time = in_time(receive, limits)
    parts, size, more = [], 0, True
    while more:
        message = await receive_in_time()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(part := message.get("body", b""))
        size += len(part)
        _check(size, limits)
        more = message.get("more_body", False)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    check_depth(body, limits.max_json_depth)
    return _again(body, receive)


def in_time(receive: Receive, limits: Limits) -> Receive:
    """Raises TooSlow where nothing comes for too long, until the end of the body: then the client may wait as long as it likes."""
    coming = True

    async def timed() -> _Message:
        nonlocal coming
        if not coming:
            return await receive()
        try:
            async with asyncio.timeout(limits.body_timeout):
                message = await receive()
        except TimeoutError:
            raise TooSlow(f"no more of the body came for {limits.body_timeout:g} s (limits.body_timeout): send it again.") from None
        coming = message.get("more_body", False)
        return message

    return timed


def check_depth(body: bytes, most: int) -> None:
    """Raises InvalidInput for JSON that goes deeper than `most` levels: parsers recurse, and so does what walks over what they made."""
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= most:
        return
    if brackets > MOST_BRACKETS:
        raise InvalidInput(f"the body has {brackets} brackets: at most {MOST_BRACKETS} are taken.")
    left = _BUT_BRACKETS.sub(b"", body)
    for _ in range(most):
        shorter = _INNERMOST.sub(b"", left)
        if len(shorter) == len(left):
            break
        left = shorter
    # What does not fit together is no JSON, and its parser says so; but it would first go as deep as it can.
    if left.count(b"[") + left.count(b"{") > most or _INNERMOST.search(left):
        raise InvalidInput(f"the body goes deeper than {most} levels of objects and lists (limits.max_json_depth).")


def _length(scope: Scope) -> int | None:
    """As announced; None where it is not told, or comes in chunks."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if found.isdigit():
        return int(found)
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    return None if chunked or scope["method"] not in _BODILESS else 0


def _check(size: int, limits: Limits) -> None:
    if size > limits.max_body_bytes:
        raise TooLarge(f"the body has {size} bytes or more: at most {limits.max_body_bytes} are taken (limits.max_body_bytes).")


def _again(body: bytes, receive: Receive) -> Receive:
    first: list[_Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> _Message:
        return first.pop() if first else await receive()

    return again
