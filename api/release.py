"""Which Fireside this is, and since when it runs."""

from __future__ import annotations

import time

VERSION = "0.1.0"
STARTED_AT = time.time()
"""In seconds of the epoch."""
_STARTED = time.monotonic()


def uptime() -> float:
    """In seconds."""
    return time.monotonic() - _STARTED
