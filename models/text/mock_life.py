"""One life of the mock engine, from a start to a stop or a crash. Whoever waits in it learns of its end at once."""

from __future__ import annotations

import asyncio

from models.errors import EngineDied


class Life:
    def __init__(self) -> None:
        self.ended = ""
        """Why it ended; empty while it goes on."""
        self.crashed = asyncio.Event()
        self._sleepers: set[asyncio.Future[None]] = set()

    def end(self, why: str, *, crash: bool) -> None:
        if self.ended:
            return
        self.ended = why
        for sleeper in self._sleepers:
            _wake(sleeper)
        if crash:
            self.crashed.set()

    async def sleep(self, seconds: float | None) -> None:
        """None sleeps until the end. Raises EngineDied when the end comes first."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        alarm = None if seconds is None else loop.call_later(seconds, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            self._sleepers.discard(sleeper)
            if alarm is not None:
                alarm.cancel()
        self.check()

    def check(self) -> None:
        if self.ended:
            raise EngineDied(self.ended)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
