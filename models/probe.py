"""Finding an engine that hangs: one that gives no sign of life is asked for one, and what gives none then is killed, so that its host loads
it again. An engine at work shows that it lives, and is not asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from models.base import Engine
from models.errors import EngineDied, NotReady
from settings import Probe

log = logging.getLogger(__name__)

_LOOKS = 20
"""In the time that a probe has. Looks are counted, not seconds: while this process itself is held up, no engine can answer."""
_PATIENCE = 1.0
"""Seconds for a probe to be called off."""


@dataclass(slots=True)
class Watch:
    killed: bool = False
    """It hung, and was ended for that."""


@asynccontextmanager
async def watched(engine: Engine, probe: Probe | None) -> AsyncIterator[Watch]:
    """Meanwhile, `engine` is killed if it hangs."""
    watch = Watch()
    if probe is None or not probe.interval:
        yield watch
        return
    watching = asyncio.create_task(_watch(engine, probe, watch), name=f"watch over {engine.name}")
    try:
        yield watch
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(engine: Engine, probe: Probe, watch: Watch) -> None:
    try:
        while True:
            await _silence(engine, probe.interval)
            if not await _answers(engine, probe.timeout):
                watch.killed = True
                await engine.kill(f"{engine.name} hung: no sign of life for {probe.timeout:g} s")
    except Exception:
        log.exception("%s: nobody watches over it any more", engine.name)


async def _silence(engine: Engine, seconds: float) -> None:
    """Wait until nothing has come of it for so long."""
    seen = None
    while seen != engine.progress:
        seen = engine.progress
        await asyncio.sleep(seconds)


async def _answers(engine: Engine, seconds: float) -> bool:
    seen, probing = engine.progress, asyncio.create_task(engine.probe(), name=f"probe of {engine.name}")
    try:
        for _ in range(_LOOKS):
            await asyncio.wait({probing}, timeout=seconds / _LOOKS)
            if probing.done() or engine.progress != seen:
                return True
        return False
    finally:
        probing.cancel()
        await asyncio.wait({probing}, timeout=_PATIENCE)
        _tell(engine, probing)


def _tell(engine: Engine, probing: asyncio.Task[None]) -> None:
    error = probing.exception() if probing.done() and not probing.cancelled() else None
    if error is not None and not isinstance(error, EngineDied | NotReady):  # its host knows of these
        log.warning("%s lives, but fails on the least it is asked for: %s", engine.name, error, exc_info=error)
