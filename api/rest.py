"""The server at rest keeps no memory that it worked with: glibc would, between two blocks that live on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from models import heap

BEAT = 3.0
"""Seconds between two looks."""
_IDLE = 2
"""Looks in a row that have found nothing going on."""


async def resting(busy: Callable[[], bool], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """For ever: memory is given back once after each time of work."""
    idle = _IDLE
    while True:
        await sleep(BEAT)
        idle = 0 if busy() else idle + 1
        if idle == _IDLE:
            await asyncio.to_thread(heap.give_back)
