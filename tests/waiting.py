"""How tests wait for what a server does, on a machine that may stand still."""

from __future__ import annotations

import time
from collections.abc import Iterator


def looks(seconds: float = 60, every: float = 0.02) -> Iterator[None]:
    """Again and again, until `seconds` of looking are over. No look counts for more than one of them: on a machine whose cores are all
    taken a single GET was seen to take half a minute, and who looked twice has not waited for long."""
    looked = 0.0
    while looked < seconds:
        began = time.monotonic()
        yield
        time.sleep(every)
        looked += min(time.monotonic() - began, 1)
