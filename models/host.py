"""The life of one engine in the background: it loads while the server already answers, and comes back when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, NoReturn, TypeVar

from models.base import Engine
from models.errors import EngineFailed, FiresideError, NotReady
from models.probe import watched
from settings import Probe

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Engine)
State = Literal["loading", "ready", "failed", "stopped"]
Policy = Literal["restart", "exit"]


@dataclass(frozen=True, slots=True)
class Status:
    """`detail` is for people; `since` is the clock's time, in seconds, at which the state began."""

    state: State
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an engine died or did not load, and when by the clock."""

    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a dead engine is loaded again: after more than `limit` lives in a row, none of which worked for `lasting` seconds, it is
    left failed. How long it takes to load, and to find that it hangs, does not count."""

    limit: int = 5
    lasting: float = 60.0
    first_delay: float = 1.0
    longest_delay: float = 60.0

    def delay(self, deaths: int) -> float:
        """Seconds to wait after the `deaths`-th death in a row: doubled each time."""
        return min(self.first_delay * 2.0 ** max(deaths - 1, 0), self.longest_delay)


def exit_process(code: int) -> NoReturn:
    """End the process at once. Not sys.exit: in a task that would only end the task, and the worker would live on without its engine."""
    logging.shutdown()
    os._exit(code)


class EngineHost(Generic[E]):
    """Runs an engine without blocking: `start` returns at once, `ready` tells, `require` hands out the engine or raises NotReady;
    so does `loaded`, for what was let in already, while it drains too.

    Hosts that share `loads` load one at a time; one that comes `after` others waits, at each load, until none of them loads. By `probe` an
    engine that hangs is found: it counts as dead.
    """

    def __init__(
        self,
        engine: E,
        *,
        on_death: Policy = "restart",
        restarts: Restarts | None = None,
        probe: Probe | None = None,
        loads: asyncio.Lock | None = None,
        after: Sequence[EngineHost[Any]] = (),
        on_change: Callable[[Status], None] | None = None,
        exit: Callable[[int], object] = exit_process,  # noqa: A002 - the word for it
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.engine = engine
        self._on_death = on_death
        self._restarts = restarts or Restarts()
        self._probe = probe
        self._loads = loads or asyncio.Lock()
        self._after = after
        self._on_change = on_change
        self._exit = exit
        self._clock = clock
        self._sleep = sleep
        self._deaths = 0
        """In a row."""
        self.restarted = 0
        """Times it was loaded again."""
        self.failure: Failure | None = None
        """The last one."""
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Lock()
        self._draining = False
        self._was_ready = False
        self._changed = asyncio.Event()
        self._status = Status("stopped", "not started", clock())

    @property
    def status(self) -> Status:
        return self._status

    def ready(self) -> bool:
        return self._status.state == "ready" and not self._draining

    def require(self) -> E:
        """The engine, for a request that comes now: at its door, once. Raises NotReady, saying what it is doing, while it takes none."""
        if self.ready():
            return self.engine
        raise self._not_ready()

    def loaded(self) -> E:
        """The engine, for what `require` has let in: that goes on while it drains. Raises NotReady where it has ended meanwhile."""
        if self._status.state == "ready":
            return self.engine
        raise self._not_ready()

    def _not_ready(self) -> NotReady:
        if self._draining:
            return NotReady("the server is shutting down: try again once it is back")
        seconds = self._clock() - self._status.since
        return NotReady(
            f"{self.engine.name} is not ready: {self._status.state} for {seconds:.0f} s ({self._status.detail}); try again later",
            retry_after=5 if self._status.state == "loading" else 60,
        )

    async def wait_ready(self) -> E:
        """Wait until the engine is ready. Raises EngineFailed if it fails or is stopped instead."""
        while True:
            if self.ready():
                return self.engine
            if self._status.state != "loading":
                raise EngineFailed(f"{self.engine.name}: {self._status.state}: {self._status.detail}")
            await self._changed.wait()

    async def settled(self) -> None:
        """Wait until the engine neither loads nor waits to load again."""
        while self._status.state == "loading":
            await self._changed.wait()

    def start(self) -> None:
        """Begin loading in the background."""
        if self._task is not None:
            raise RuntimeError(f"{self.engine.name} is already started")
        self._draining = self._was_ready = False
        self._deaths = 0
        self._set("loading", "loading")
        self._task = asyncio.create_task(self._live(), name=f"engine {self.engine.name}")

    def drain(self) -> None:
        """Shutdown begins: nothing new is let in, and an engine that ends now (the signal reaches its processes too) has not died."""
        self._draining = True

    async def stop(self) -> None:
        """Stop the engine, whatever it is doing; requests in it get an error. Idempotent."""
        self.drain()
        async with self._stopping:
            task, self._task = self._task, None
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await self.engine.stop()
            self._set("stopped", "stopped")

    async def _live(self) -> None:
        try:
            while (delay := await self._life()) is not None:
                await self._sleep(delay)
                self.restarted += 1
                self._set("loading", "loading again")
        except Exception as error:  # the host must not vanish: readiness would stay what it was
            log.exception("%s: the engine failed in a way its contract does not know", self.engine.name)
            why = f"{type(error).__name__}: {error}"
            await (self._after_death(why) if self._draining else self._give_up(why))

    async def _life(self) -> float | None:
        """One life of the engine, from load to end: seconds until the next one, or None if it was the last."""
        try:
            await self._load()
        except FiresideError as error:
            return await self._after_failed_load(error)
        except Exception as error:
            if not self._was_ready:
                raise
            log.exception("%s: the load failed in a way its contract does not know", self.engine.name)
            return await self._after_failed_load(EngineFailed(f"{type(error).__name__}: {error}"))
        self._was_ready = True
        self._set("ready", "ready")
        began = self._clock()
        async with watched(self.engine, self._probe) as watch:
            why = await self.engine.died()
        if self._clock() - began - (self._finding() if watch.killed else 0.0) >= self._restarts.lasting:
            self._deaths = -1  # the end of this one is none of the row
        log.error("%s died: %s", self.engine.name, why)
        self.failure = Failure(why, self._clock())
        return await self._after_death(why)

    def _finding(self) -> float:
        """Seconds that it may take to find that an engine hangs."""
        return 2 * self._probe.interval + self._probe.timeout if self._probe and self._probe.interval else 0.0

    async def _load(self) -> None:
        # While the others have settled they do not hold the lock, so that nothing comes between this wait and the lock.
        while loading := [host for host in self._after if host.status.state == "loading"]:
            await loading[0].settled()
        async with self._loads:
            await self.engine.start()

    async def _after_failed_load(self, error: FiresideError) -> float | None:
        log.error("%s did not load: %s", self.engine.name, error)
        self.failure = Failure(str(error), self._clock())
        # What never worked needs a person. What did work may work again, with the same settings too: memory that is not free yet.
        if not self._draining and not self._was_ready:
            await self._give_up(str(error))
            return None
        return await self._after_death(str(error))

    async def _after_death(self, why: str) -> float | None:
        if self._draining:
            self._set("stopped", f"ended at shutdown: {why}")
            return None
        if self._on_death == "exit":
            await self._give_up(why)
            return None
        self._deaths += 1
        if self._deaths > self._restarts.limit:
            await self._give_up(f"ended {self._deaths} times in a row, and never worked for {self._restarts.lasting:.0f} s, last: {why}")
            return None
        delay = self._restarts.delay(self._deaths)
        self._set("loading", f"{why}; loading again in {delay:.0f} s")
        await self._clear()
        return delay

    async def _give_up(self, why: str) -> None:
        self._set("failed", why)
        await self._clear()
        if self._on_death == "exit":
            log.critical("%s: %s; leaving, so that the orchestrator starts a fresh process", self.engine.name, why)
            self._exit(1)

    async def _clear(self) -> None:
        """Away with what is left of a dead engine. What of it cannot be is no reason not to go on."""
        try:
            await self.engine.stop()
        except Exception:
            log.exception("%s: not all that is left of the engine could be cleared away", self.engine.name)

    def _set(self, state: State, detail: str) -> None:
        self._status = Status(state, detail, self._clock())
        log.info("%s: %s (%s)", self.engine.name, state, detail)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._on_change is not None:
            self._on_change(self._status)
