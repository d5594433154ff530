"""Memory that was worked with is given back, once, when nothing goes on any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.rest import resting
from api.runtime import Runtime
from models.base import TextRequest
from models.host import EngineHost
from models.text.mock import MockTextEngine
from settings import Fault, MockText, Settings

pytestmark = pytest.mark.anyio


async def test_memory_is_given_back_once_after_each_time_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    work = [False, False, True, False, True, False, False, False, False, True, False, False]
    given: list[int] = []
    looks: list[bool] = []
    monkeypatch.setattr("models.heap.give_back", lambda: given.append(len(looks)))

    def busy() -> bool:
        looks.append(work[len(looks)])
        return looks[-1]

    async def sleep(seconds: float) -> None:
        if len(looks) == len(work):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await resting(busy, sleep)
    assert given == [7, 12]


async def test_what_loads_or_generates_is_no_rest() -> None:
    engine = MockTextEngine("mock-text", (), MockText(fault=Fault(kind="hang", after=1)))
    host: EngineHost[Any] = EngineHost(engine)
    runtime = Runtime(Settings(), text=host, speech=None)
    assert not runtime.busy()
    host.start()
    assert runtime.busy()
    await host.wait_ready()
    assert not runtime.busy()
    generating = engine.generate(TextRequest("one", prompt="Hello."))
    await anext(generating)
    assert runtime.busy()
    await generating.aclose()
    assert not runtime.busy()
    await host.stop()
