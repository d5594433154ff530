"""The host keeps one engine alive: loading in the background, restarts with backoff, the crash-loop limit, exit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from models import host
from models.base import Load
from models.errors import EngineFailed, FiresideError, NotReady, SettingsError, WeightsError
from models.host import EngineHost, Restarts, Status
from models.probe import Watch
from settings import Probe

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
        self.load_takes: Callable[[], None] = lambda: None
        self.stop_fails = False

    async def start(self) -> None:
        self.starts += 1
        await self.loaded.wait()
        self.load_takes()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    async def stop(self) -> None:
        self.stops += 1
        if self.stop_fails:
            raise OSError("no descriptor is free")

    async def died(self) -> str:
        return await self.deaths.get()

    def load(self) -> Load:
        return Load()


class Probed(Fake):
    progress = 0

    async def probe(self) -> None:
        pass

    async def kill(self, why: str) -> None:
        self.deaths.put_nowait(why)


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


async def test_what_has_worked_for_a_while_begins_anew() -> None:
    stage = Stage(Fake(), restarts=Restarts(limit=1, lasting=100))
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(3):
        stage.now += 200
        await stage.die("killed")
    assert stage.host.ready()
    assert stage.delays == [1, 1, 1]
    await stage.host.stop()


def hanging(*found: bool) -> Callable[..., AbstractAsyncContextManager[Watch]]:
    """In the place of the watch: whether it ends each of the lives."""
    lives = iter(found)

    @asynccontextmanager
    async def watched(*_: object) -> AsyncIterator[Watch]:
        yield Watch(killed=next(lives))

    return watched


async def test_the_time_to_find_a_hang_is_taken_off_what_hung_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "watched", hanging(False, False, True, True, False))
    stage = Stage(Probed(), restarts=Restarts(limit=1, lasting=100), probe=Probe(interval=10, timeout=60))
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(2):
        stage.now += 150
        await stage.die("killed")
    assert stage.host.ready()
    for _ in range(2):
        stage.now += 150
        await stage.die("hung")
    assert stage.host.status.state == "failed"
    await stage.host.stop()


async def test_a_crash_loop_of_what_loads_slowly_ends_failed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "watched", hanging(*[True] * 5))
    stage = Stage(engine := Probed(), restarts=Restarts(limit=3, lasting=100), probe=Probe(interval=10, timeout=60))
    engine.load_takes = lambda: setattr(stage, "now", stage.now + 1000)
    stage.host.start()
    await stage.host.wait_ready()
    for _ in range(4):
        stage.now += 70 + 80  # it worked for a while, and then it took as long to find that it hung
        await stage.die("hung")
    assert stage.host.status.state == "failed"
    assert stage.host.status.detail.startswith("ended 4 times in a row, and never worked for 100 s, last: hung")
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


@pytest.mark.parametrize("fault", [SettingsError("0.9 GiB are free"), WeightsError("no such folder"), BlockingIOError("no process")])
async def test_what_is_short_for_a_moment_does_not_end_an_engine_that_has_worked(fault: Exception) -> None:
    stage = Stage(engine := Fake(None, fault))
    engine.stop_fails = True
    stage.host.start()
    await stage.host.wait_ready()
    await stage.die("killed")
    assert stage.host.ready()
    assert engine.starts == 3
    engine.stop_fails = False
    await stage.host.stop()


async def test_what_cannot_be_cleared_away_does_not_keep_the_process() -> None:
    stage = Stage(engine := Fake(), on_death="exit")
    engine.stop_fails = True
    stage.host.start()
    await stage.host.wait_ready()
    await stage.die("killed")
    await stage.host._task  # type: ignore[misc]
    assert stage.exits == [1]
    engine.stop_fails = False
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


async def test_nothing_new_is_let_in_during_shutdown() -> None:
    stage = Stage(Fake())
    stage.host.start()
    await stage.host.wait_ready()
    stage.host.drain()
    assert not stage.host.ready()
    with pytest.raises(NotReady, match="shutting down"):
        stage.host.require()
    await stage.host.stop()


async def test_what_was_let_in_goes_on_during_shutdown_until_the_engine_ends() -> None:
    stage = Stage(engine := Fake())
    stage.host.start()
    await stage.host.wait_ready()
    stage.host.drain()
    assert stage.host.loaded() is engine
    await stage.host.stop()
    with pytest.raises(NotReady, match="shutting down"):
        stage.host.loaded()


@pytest.mark.parametrize("error", [EngineFailed("terminated"), RuntimeError("out of contract")])
async def test_a_load_that_fails_during_shutdown_is_no_failure(error: Exception) -> None:
    stage = Stage(engine := Fake(error), on_death="exit")
    engine.loaded.clear()
    stage.host.start()
    stage.host.drain()
    engine.loaded.set()
    await stage.until(lambda: stage.host.status.state == "stopped")
    assert stage.exits == []
    await stage.host.stop()


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


class Pair:
    """Speech and text as models/loader.py ties them together: `loading` is who loads now, `most` how many ever did at once."""

    def __init__(self) -> None:
        self.loading: set[str] = set()
        self.most = 0
        self.voices, self.model = (Watched(self, name) for name in ("speech", "text"))
        lock = asyncio.Lock()
        self.speech = Stage(self.voices, loads=lock)
        self.text = Stage(self.model, loads=lock, after=[self.speech.host])

    async def __aenter__(self) -> Pair:
        self.speech.host.start()
        self.text.host.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.text.host.stop()
        await self.speech.host.stop()


class Watched(Fake):
    def __init__(self, pair: Pair, name: str) -> None:
        super().__init__()
        self.pair, self.name = pair, name
        self.begun: asyncio.Queue[set[str]] = asyncio.Queue()

    async def start(self) -> None:
        self.pair.loading.add(self.name)
        self.pair.most = max(self.pair.most, len(self.pair.loading))
        self.begun.put_nowait({host.engine.name for host in (self.pair.speech.host,) if host.ready()})
        try:
            await super().start()
        finally:
            self.pair.loading.remove(self.name)


async def test_text_loads_after_speech_when_both_have_died_too() -> None:
    async with Pair() as pair:
        await pair.text.host.wait_ready()
        assert await pair.model.begun.get() == {"speech"}
        pair.speech.gate.clear()  # speech waits longer before it loads again
        pair.voices.deaths.put_nowait("killed")
        await pair.speech.until(lambda: pair.speech.delays == [1])
        pair.model.deaths.put_nowait("killed")
        await pair.text.until(lambda: pair.text.host.status.detail == "loading again")
        pair.speech.gate.set()
        assert await pair.model.begun.get() == {"speech"}
        await pair.text.host.wait_ready()
        assert pair.most == 1


async def test_speech_waits_until_text_has_loaded() -> None:
    async with Pair() as pair:
        await pair.text.host.wait_ready()
        pair.model.loaded.clear()
        pair.model.deaths.put_nowait("killed")
        while pair.loading != {"text"}:
            await asyncio.sleep(0)
        pair.voices.loaded = pair.model.loaded
        pair.voices.deaths.put_nowait("killed")
        await pair.speech.until(lambda: pair.speech.host.status.detail == "loading again")
        await asyncio.sleep(0)
        assert pair.loading == {"text"}
        pair.model.loaded.set()
        await pair.speech.host.wait_ready()
        assert pair.most == 1


async def test_text_does_not_wait_for_speech_that_has_failed() -> None:
    pair = Pair()
    pair.voices.faults = [WeightsError("no such folder")]
    async with pair:
        await pair.text.host.wait_ready()
        assert pair.speech.host.status.state == "failed"


async def test_one_that_comes_after_two_waits_for_both() -> None:
    first, second = Stage(slow := Fake()), Stage(Fake())
    slow.loaded.clear()
    third = Stage(last := Fake(), after=[second.host, first.host])
    for stage in (first, second, third):
        stage.host.start()
    await second.host.wait_ready()
    await asyncio.sleep(0)
    assert last.starts == 0
    slow.loaded.set()
    await third.host.wait_ready()
    assert first.host.ready()
    for stage in (first, second, third):
        await stage.host.stop()
