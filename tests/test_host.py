"""The host keeps one engine alive: loading in the background, restarts with backoff, the crash-loop limit, exit."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from models.base import Load
from models.errors import EngineFailed, FiresideError, NotReady, WeightsError
from models.host import EngineHost, Restarts, Status

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Fake:
    """Loads when `loaded` is set, dies when told; `faults` are raised by the next starts, None is a good one."""

    name = "fake"

    def __init__(self, *faults: FiresideError | Exception | None) -> None:
        self.loaded = asyncio.Event()
        self.loaded.set()
        self.faults = list(faults)
        self.deaths: asyncio.Queue[str] = asyncio.Queue()
        self.starts = self.stops = 0

    async def start(self) -> None:
        self.starts += 1
        await self.loaded.wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    async def stop(self) -> None:
        self.stops += 1

    async def died(self) -> str:
        return await self.deaths.get()

    def load(self) -> Load:
        return Load()


class Stage:
    """A host with a clock that only its own backoff moves, and a record of all that happened."""

    def __init__(self, engine: Fake, **options: object) -> None:
        self.now = 0.0
        self.delays: list[float] = []
        self.exits: list[int] = []
        self.changes: list[Status] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.engine = engine
        self.host = EngineHost(
            engine,
            on_change=self.changes.append,
            exit=self.exits.append,
            clock=lambda: self.now,
            sleep=self.sleep,
            **options,  # type: ignore[arg-type]
        )

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.now += seconds
        await self.gate.wait()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            await self.host._changed.wait()

    async def die(self, why: str) -> None:
        """Let the engine die, and wait until the host has seen it and has acted on it."""
        seen = len(self.changes)
        self.engine.deaths.put_nowait(why)
        await self.until(lambda: len(self.changes) > seen and self.changes[-1].state in ("ready", "failed", "stopped"))


async def test_it_says_loading_until_the_engine_is_loaded() -> None:
    stage = Stage(engine := Fake())
    engine.loaded.clear()
    stage.host.start()
    with pytest.raises(NotReady, match="fake is not ready: loading") as refusal:
        stage.host.require()
    assert refusal.value.retry_after > 0
    engine.loaded.set()
    assert await stage.host.wait_ready() is engine
    assert stage.host.require() is engine
    await stage.host.stop()


async def test_a_dead_engine_is_cleared_away_and_loaded_again() -> None:
    stage = Stage(engine := Fake())
    stage.host.start()
    await stage.host.wait_ready()
    await stage.die("killed")
    assert stage.host.ready()
    assert (engine.starts, engine.stops) == (2, 1)
    assert [change.state for change in stage.changes] == ["loading", "ready", "loading", "loading", "ready"]
    assert "killed" in stage.changes[2].detail
    await stage.host.stop()


async def test_readiness_drops_while_it_waits_to_load_again() -> None:
    stage = Stage(engine := Fake())
    stage.host.start()
    await stage.host.wait_ready()
    stage.gate.clear()
    engine.deaths.put_nowait("killed")
    await stage.until(lambda: stage.host.status.state == "loading")
    with pytest.raises(NotReady, match="killed"):
        stage.host.require()
    await stage.host.stop()
    assert stage.host.status.state == "stopped"


async def test_the_delay_doubles_up_to_its_longest() -> None:
    stage = Stage(Fake(), restarts=Restarts(first_delay=1, longest_delay=5))
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(5):
        await stage.die("killed")
    assert stage.delays == [1, 2, 4, 5, 5]
    await stage.host.stop()


async def test_a_crash_loop_ends_failed() -> None:
    stage = Stage(engine := Fake(), restarts=Restarts(limit=2))
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(3):
        await stage.die("killed")
    assert stage.host.status.state == "failed"
    assert "3 times" in stage.host.status.detail
    assert engine.starts == 3
    with pytest.raises(EngineFailed, match="killed"):
        await stage.host.wait_ready()
    await stage.host.stop()


async def test_old_deaths_do_not_count() -> None:
    stage = Stage(Fake(), restarts=Restarts(limit=1, window=100))
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(3):
        await stage.die("killed")
        stage.now += 200
    assert stage.host.ready()
    assert stage.delays == [1, 1, 1]
    await stage.host.stop()


async def test_exit_policy_stops_the_engine_and_leaves_with_a_code() -> None:
    stage = Stage(engine := Fake(), on_death="exit")
    stage.host.start()
    await stage.host.wait_ready()
    await stage.die("killed")
    await stage.host._task  # type: ignore[misc]
    assert stage.exits == [1]
    assert (engine.starts, engine.stops) == (1, 1)
    await stage.host.stop()


@pytest.mark.parametrize("fault", [WeightsError("no such folder"), EngineFailed("out of memory"), ZeroDivisionError("a bug")])
async def test_what_never_loaded_is_not_tried_again(fault: Exception) -> None:
    stage = Stage(engine := Fake(fault))
    stage.host.start()
    with pytest.raises(EngineFailed, match=str(fault)):
        await stage.host.wait_ready()
    assert stage.host.status.state == "failed"
    assert engine.starts == 1
    await stage.host.stop()


async def test_a_failed_reload_counts_as_a_death() -> None:
    stage = Stage(engine := Fake(None, EngineFailed("memory not free yet")))
    stage.host.start()
    await stage.host.wait_ready()
    await stage.die("killed")
    assert stage.host.ready()
    assert engine.starts == 3
    assert stage.delays == [1, 2]
    await stage.host.stop()


async def test_an_end_during_shutdown_is_no_crash() -> None:
    stage = Stage(engine := Fake())
    stage.host.start()
    await stage.host.wait_ready()
    stage.host.drain()
    await stage.die("terminated")
    assert stage.host.status.state == "stopped"
    assert engine.starts == 1
    await stage.host.stop()


async def test_a_signal_that_ends_the_process_is_no_crash_either() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        stage = Stage(Fake(), on_death="exit")
        stage.host.start()
        await stage.host.wait_ready()
        signal.raise_signal(signal.SIGTERM)
        await stage.die("terminated")
        assert stage.host.status.state == "stopped"
        assert (came, stage.exits) == ([signal.SIGTERM], [])
        await stage.host.stop()
        signal.raise_signal(signal.SIGTERM)
        assert len(came) == 2
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_stop_while_loading_cancels_the_load() -> None:
    stage = Stage(engine := Fake())
    engine.loaded.clear()
    stage.host.start()
    while not engine.starts:
        await asyncio.sleep(0)
    await stage.host.stop()
    assert stage.host.status.state == "stopped"
    assert (engine.starts, engine.stops) == (1, 1)


async def test_it_can_be_started_again_after_stop() -> None:
    stage = Stage(Fake())
    for _ in range(2):
        stage.host.start()
        await stage.host.wait_ready()
        await stage.host.stop()
    assert [change.state for change in stage.changes] == ["loading", "ready", "stopped"] * 2
