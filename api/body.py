"""The bodies of requests, taken in no further than is allowed, and no slower."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

import numpy as np

from api.streaming import Disconnected
from models.base import Receive, Scope
from models.errors import InvalidInput, Overloaded, TooLarge, TooSlow
from settings.limits import Limits

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_PIECE = 1 << 20
_QUOTE = ord('"')
_COMMA = ord(",")
_BUT_MARKS = bytes(set(range(256)) - set(b'",[]{}'))
_STEPS = np.zeros(256, np.int32)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
MOST_BRACKETS = 1_000_000
MOST_COMMAS = 2_000_000
"""Between values: whoever parses them holds up all else in this process, a second for some ten millions."""
LEAST_RATE = 16 << 10
"""Bytes a second that must come of a body on average, once limits.body_timeout has passed: a phone far from its mast sends more."""
AT_ONCE = 8
"""How many of the largest bodies may be in memory."""
FREE = 256 << 10
_Message = MutableMapping[str, Any]
Take = Callable[[int], None]


class Room:
    """Memory for the bodies of all requests. Of each the first FREE bytes find room always, lest a few large ones keep out all others; and
    of a key's the large ones take half of it at most."""

    def __init__(self, limits: Limits) -> None:
        self._most = AT_ONCE * limits.max_body_bytes
        self._taken = Counter[str]()

    @contextmanager
    def share(self, name: str) -> Iterator[Take]:
        """For one body of the key `name` ("" without keys), until its request is over: gets how large it is so far. Raises Overloaded."""
        mine = 0
        own = self._most // 2 if name else self._most

        def take(size: int) -> None:
            nonlocal mine
            more = max(0, size - FREE) - mine
            taken = self._taken.total()
            if more > 0 and (taken + more > self._most or self._taken[name] + more > own):
                raise Overloaded(f"the bodies of other requests take {taken} bytes, about as many as may be: try again later.")
            self._taken[name] += more
            mine += more

        try:
            yield take
        finally:
            self._taken[name] -= mine
            if not self._taken[name]:
                del self._taken[name]


async def whole(scope: Scope, receive: Receive, limits: Limits, take: Take) -> Receive:
    """Take all of the body, and return what gives it on, in one piece.

    Raises TooLarge, TooSlow, InvalidInput, Disconnected, and what `take` raises.
    """
    announced = _length(scope)
    if announced == 0:
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
        take(size)
        more = message.get("more_body", False)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    if b"\0" in body:
        raise InvalidInput("the body has a null byte: expected JSON in UTF-8.")
    if size > _PIECE:
        await asyncio.to_thread(check_depth, body, limits.max_json_depth)
    else:
        check_depth(body, limits.max_json_depth)
    return _again(body, receive)


def in_time(receive: Receive, limits: Limits) -> Receive:
    """Raises TooSlow where too little comes, until the end of the body: then the client may wait as long as it likes."""
    coming, size, began = True, 0, monotonic()

    async def timed() -> _Message:
        nonlocal coming, size
        if not coming:
            return await receive()
        patience = max(0.0, min(limits.body_timeout, began + limits.body_timeout + size / LEAST_RATE - monotonic()))
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            raise TooSlow(
                f"{size} bytes of the body came, and none for the last {patience:.3g} s: something must come every"
                f" {limits.body_timeout:g} s (limits.body_timeout), and after that {LEAST_RATE} bytes a second. Send it again, faster."
            ) from None
        coming = message.get("more_body", False)
        size += len(message.get("body", b""))
        return message

    return timed


def check_depth(body: bytes, most: int) -> None:
    """Raises InvalidInput for JSON that goes deeper than `most` levels, or has too many values: parsers recurse, and so does what walks
    over what they made.

    No parser gets deeper than is counted here: where the brackets do not fit together it ends. 64 MB take less than a second.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MOST_BRACKETS:
        raise InvalidInput(f"the body has {brackets} brackets: at most {MOST_BRACKETS} are taken.")
    if brackets <= most and body.count(b",") <= MOST_COMMAS:
        return
    depth, commas = _counted(body)
    if depth > most:
        raise InvalidInput(f"the body goes deeper than {most} levels of objects and lists (limits.max_json_depth).")
    if commas > MOST_COMMAS:
        raise InvalidInput(f"the body has {commas} commas between its values: at most {MOST_COMMAS} are taken. Send less at once.")


def _counted(body: bytes) -> tuple[int, int]:
    """How deep it goes, and the commas outside of texts."""
    deepest = depth = commas = 0
    in_text = escaped = False
    for start in range(0, len(body), _PIECE):
        piece = body[start + escaped : start + _PIECE]
        escaped = (len(piece) - len(piece.rstrip(b"\\"))) % 2 == 1
        marks = np.frombuffer(piece.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _BUT_MARKS), np.uint8)
        if not len(marks):
            continue
        in_texts = (np.cumsum(marks == _QUOTE, dtype=np.uint8) & 1).astype(bool) ^ in_text
        depths = depth + np.cumsum(np.where(in_texts, 0, _STEPS[marks]))
        in_text, depth, deepest = bool(in_texts[-1]), int(depths[-1]), max(deepest, int(depths.max()))
        commas += int(np.count_nonzero((marks == _COMMA) & ~in_texts))
    return deepest, commas


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
