"""A limit for what may hang while an engine is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.errors import EngineFailed


@asynccontextmanager
async def loaded_within(seconds: float, kind: str) -> AsyncIterator[None]:
    """What takes longer is cancelled: EngineFailed then, which names the setting. A TimeoutError of its own passes."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise EngineFailed(f"the {kind} engine was not ready within {seconds:g} s: raise {kind}.start_timeout, or see its log") from error
