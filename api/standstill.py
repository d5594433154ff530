"""An event loop that stands still holds up every stream, probe and health check at once, and could tell nobody of it."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
from time import monotonic

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks."""
LONG = 10.0
"""Seconds without a turn of the loop that are told; it stands for less while vLLM is imported."""
_STDERR = 2


async def watched() -> None:
    """For ever: where the loop stands still, the stacks of all threads go to stderr while it does, and to the log for how long it did.

    A log that has the one without the other, or neither while clients wait, speaks of a machine that gave this process no time.
    """
    try:
        while True:
            began = monotonic()
            faulthandler.dump_traceback_later(LONG, file=_STDERR)
            await asyncio.sleep(LOOK)
            if (stood := monotonic() - began - LOOK) > LONG - LOOK:
                log.warning("this process stood still for %.0f s: all clients had to wait. What it stood at is above.", stood)
    finally:
        faulthandler.cancel_dump_traceback_later()
