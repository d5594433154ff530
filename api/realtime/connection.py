"""The socket of one realtime session: events in, events out, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from starlette.websockets import WebSocket

from api import errors, metrics
from api.body import check_depth
from api.realtime import client_events as events
from api.realtime.answer import ROUTE
from api.realtime.faults import described
from api.realtime.inbox import Inbox
from api.realtime.outbox import Outbox
from api.socket_protocol import RESTART, server_ends
from api.streaming import GONE, cancel
from models.errors import FiresideError
from settings.limits import Limits


class Connection(ABC):
    def __init__(self, socket: WebSocket, limits: Limits) -> None:
        self.socket = socket
        self._most_levels = limits.max_json_depth
        self.inbox = Inbox()
        self.outbox = Outbox(socket)

    @abstractmethod
    def begin(self) -> None:
        """Say that the session is there. Raises why there can be none."""

    @abstractmethod
    async def obey(self, event: events.ClientEvent) -> None:
        """Raises what there is to say against it; the session lives on."""

    @abstractmethod
    def can_cancel(self, event: events.ResponseCancel) -> bool:
        """There is a response that it means."""

    @abstractmethod
    async def finished(self) -> None:
        """Nothing is in the making any more."""

    @abstractmethod
    async def close(self) -> None:
        """End all its work, and wait until it has ended."""

    async def run(self) -> None:
        """Until the client leaves; then nothing of it is left."""
        with metrics.socket(ROUTE):
            await self._run()

    async def _run(self) -> None:
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
            with suppress(*GONE):
                await self.socket.close(how.close, how.code)

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self._read(), self._work(), self.outbox.send())]
        leaving = asyncio.create_task(self._leave())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(*tasks, leaving)
            await self.close()
        for task in done:
            task.result()

    async def _leave(self) -> None:
        """With the server, once what it was answering is answered."""
        await server_ends(self.socket.scope)
        await self.finished()
        await self.outbox.sent()
        with suppress(*GONE):
            await self.socket.close(RESTART, "service_restart")

    async def _read(self) -> None:
        while (frame := await self.socket.receive())["type"] != "websocket.disconnect":
            text = frame.get("text")
            event, named = _event(text, self._most_levels)
            if isinstance(event, events.ResponseCancel) and self.inbox.only_audio and self.can_cancel(event):
                await self.obey(event)
            else:
                await self.inbox.put(event, named, len(text or ""))

    async def _work(self) -> None:
        while True:
            event, named = await self.inbox.take()
            try:
                if isinstance(event, FiresideError):
                    raise event
                await self.obey(event)
            except FiresideError as error:
                metrics.refused(ROUTE, error)
                self.outbox.say("error", error=described(error, named))
            await self.outbox.room()
            self.inbox.done()


def _event(frame: str | None, most_levels: int) -> tuple[events.ClientEvent | FiresideError, str | None]:
    """Or what is wrong with it; and the id that the client gave it."""
    named = None
    try:
        raw = events.read(frame)
        named = raw["event_id"] if isinstance(raw.get("event_id"), str) else None
        check_depth((frame or "").encode(), most_levels)
        return events.parse(raw), named
    except FiresideError as error:
        return error, named
