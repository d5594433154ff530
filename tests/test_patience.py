"""How long the pieces of a text are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from api.patience import in_time
from models.errors import EngineTimeout
from settings.limits import Limits

pytestmark = pytest.mark.anyio


async def pieces(*waits: float) -> AsyncGenerator[float, None]:
    for wait in waits:
        await asyncio.sleep(wait)
        yield wait


async def read(limits: Limits, *waits: float, by: float = 0) -> list[float]:
    found = []
    async for piece in in_time(pieces(*waits), limits):
        found.append(piece)
        await asyncio.sleep(by)
    return found


async def test_who_reads_slowly_is_none_of_its_matters() -> None:
    assert await read(Limits(token_timeout=2, total_timeout=2), 0, 0.01, 0, by=1.5) == [0, 0.01, 0]


async def test_a_first_piece_may_take_longer_than_the_next() -> None:
    assert await read(Limits(token_timeout=1, total_timeout=60), 1.5, 0) == [1.5, 0]


@pytest.mark.parametrize(
    ("limits", "waits", "told"),
    [
        (Limits(token_timeout=0.05, total_timeout=60), (0, 60), r"no more of the text came within 0\.05 s \(limits\.token_timeout\)"),
        (Limits(token_timeout=60, total_timeout=0.05), (60,), r"not complete within 0\.05 s \(limits\.total_timeout\)"),
        (Limits(token_timeout=60, total_timeout=0.3), (0, 0.2, 0.2), r"limits\.total_timeout"),
    ],
)
async def test_an_engine_that_is_slow_is_not_waited_for(limits: Limits, waits: tuple[float, ...], told: str) -> None:
    with pytest.raises(EngineTimeout, match=told):
        await read(limits, *waits)
