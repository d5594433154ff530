"""An event loop that stands still is told, with what it stands at; one that is only busy is not."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import pytest

from api import standstill

pytestmark = pytest.mark.anyio


async def stand(seconds: float, turns: int) -> None:
    watching = asyncio.create_task(standstill.watched())
    for _ in range(turns):
        await asyncio.sleep(0)
        time.sleep(seconds)  # noqa: ASYNC251  (which is what no coroutine may do)
    for _ in range(5):
        await asyncio.sleep(0)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def test_what_a_loop_stands_still_at_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(standstill, "LOOK", 0.1)
    monkeypatch.setattr(standstill, "LONG", 0.5)
    await stand(1.5, 1)
    assert "in stand" in capfd.readouterr().err
    assert "this process stood still for " in caplog.text


async def test_a_busy_loop_does_not_stand_still(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.INFO)
    await stand(0.01, 50)
    assert (capfd.readouterr().err, caplog.text) == ("", "")
