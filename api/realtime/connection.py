"""The socket of one realtime session: events in, events out, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from starlette.websockets import WebSocket

from api import errors, metrics
from api.realtime import client_events as events
from api.realtime.answer import ROUTE
from api.realtime.faults import described
from api.realtime.outbox import Outbox
from api.streaming import GONE, cancel
from models.errors import FiresideError


class Connection(ABC):
    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.outbox = Outbox(socket)

    @abstractmethod
    def begin(self) -> None:
        """Say that the session is there. Raises why there can be none."""

    @abstractmethod
    async def obey(self, event: events.ClientEvent) -> None:
        """Raises what there is to say against it; the session lives on."""

    @abstractmethod
    async def close(self) -> None:
        """End all its work, and wait until it has ended."""

    async def run(self) -> None:
        """Until the client leaves; then nothing of it is left."""
        offered = self.socket.scope.get("subprotocols") or ()
        await self.socket.accept("realtime" if "realtime" in offered else None)
        try:
            self.begin()
        except FiresideError as error:
            metrics.refused(ROUTE, error)
            await self._refuse(error)
            return
        try:
            await self._serve()
        except GONE:
            pass
        except Exception as error:
            await self._refuse(error)

    async def _refuse(self, error: Exception) -> None:
        """Behind all that was said before. The client may have left meanwhile."""
        how = errors.refusal(error)
        self.outbox.say("error", error=described(error))
        sending = asyncio.create_task(self.outbox.send())
        sent = asyncio.create_task(self.outbox.sent())
        await asyncio.wait({sending, sent}, return_when=asyncio.FIRST_COMPLETED)
        gone = sending.done()
        await cancel(sending, sent)
        if not gone:
            await self.socket.close(how.close, how.code)

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self._read(), self.outbox.send())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(*tasks)
            await self.close()
        for task in done:
            task.result()

    async def _read(self) -> None:
        while (frame := await self.socket.receive())["type"] != "websocket.disconnect":
            await self._take(frame.get("text"))
            await self.outbox.room()

    async def _take(self, frame: str | None) -> None:
        named = None
        try:
            raw = events.read(frame)
            named = raw["event_id"] if isinstance(raw.get("event_id"), str) else None
            await self.obey(events.parse(raw))
        except FiresideError as error:
            metrics.refused(ROUTE, error)
            self.outbox.say("error", error=described(error, named))
