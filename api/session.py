"""A socket that speaks: one task reads, one speaks, one sends, and what is to be spoken waits between them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

import orjson
from starlette.websockets import WebSocket

from api import errors, metrics
from api.accounts import entering
from api.runtime import Runtime
from api.socket_protocol import FAREWELL, RESTART, server_ends
from api.streaming import GONE, Cancelled, Disconnected, cancel
from models.errors import FiresideError, NotReady, Overloaded

MAX_WAITING = 32
"""Utterances of one socket that may wait for their turn."""


class Job:
    """One utterance, from its first text until it is told to be done."""

    cancelled = False


J = TypeVar("J", bound=Job)


class Session(ABC, Generic[J]):
    route: str

    def __init__(self, runtime: Runtime, websocket: WebSocket) -> None:
        self.runtime = runtime
        self.socket = websocket
        self.unfinished: list[J] = []
        """In order; the first is being spoken."""
        self._waiting: asyncio.Queue[J] = asyncio.Queue(MAX_WAITING)
        self._speaking: asyncio.Task[None] | None = None
        # One: what a cancelled utterance still has here is sent whole.
        self._outbox: asyncio.Queue[tuple[str | bytes, ...]] = asyncio.Queue(1)
        self._farewell: tuple[int, str | None] | None = None
        """Once it is set nothing that comes is taken any more."""

    @abstractmethod
    async def take(self, frame: str | None) -> None:
        """A text frame, or None for a binary one. Raises what there is to say against it; the socket lives on."""

    @abstractmethod
    async def speak(self, job: J) -> None: ...

    @abstractmethod
    async def finish(self, job: J, error: FiresideError | None) -> None:
        """The job is spoken, cancelled, or has failed with `error`."""

    async def begin(self) -> None:
        """What the server says first."""

    def refusal(self, error: Exception) -> dict[str, Any]:
        return {"type": "error", **errors.body(error)}

    async def run(self) -> None:
        """Until the client leaves; then nothing of it is left."""
        with metrics.socket(self.route):
            await self._run()

    async def _run(self) -> None:
        await self.socket.accept()
        try:
            self.runtime.require_speech()
        except NotReady as error:
            metrics.refused(self.route, error)
            await self._end(error)
            return
        try:
            await self._serve()
        except GONE:
            pass
        except Exception as error:
            await self._end(error)

    def enqueue(self, job: J) -> None:
        try:
            self._waiting.put_nowait(job)
        except asyncio.QueueFull:
            raise Overloaded(f"{MAX_WAITING} texts are waiting on this socket already: wait for their audio.") from None
        self.unfinished.append(job)

    async def cancel(self, *jobs: J) -> None:
        """At once; each is finished in its turn. If these are all, there is room for as many again when it returns."""
        all_of_them = len(jobs) == len(self.unfinished)
        for job in jobs:
            job.cancelled = True
        if self._speaking and self.unfinished and self.unfinished[0] in jobs:
            await cancel(self._speaking)
        if all_of_them:
            await self._waiting.join()

    async def send(self, *frames: dict[str, Any] | bytes) -> None:
        """After all that was sent before, and nothing in between. Cancelled while it waits for that, none of them is sent."""
        await self._outbox.put(tuple(frame if isinstance(frame, bytes) else orjson.dumps(frame).decode() for frame in frames))

    async def hang_up(self, error: Exception | None = None) -> None:
        """Close the socket after all that was sent before."""
        how = errors.refusal(error) if error else None
        self._farewell = (how.close, how.code or how.type) if how else (1000, None)
        await self._outbox.put(())

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self._read(), self._speak_all(), self._send_all())]
        *makers, sending = tasks
        leaving = asyncio.create_task(self._leave())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() for task in done):
                await cancel(*makers)
                await self._all_sent(sending)
        finally:
            await cancel(*tasks, leaving)
            for _ in range(self._waiting.qsize()):
                metrics.refused(self.route, Disconnected(), "utterance")
        for task in done:
            task.result()

    async def _all_sent(self, sending: asyncio.Task[None]) -> None:
        """So that a fault is not told in the middle of something; or nobody is there any more."""
        sent = asyncio.create_task(self._outbox.join())
        try:
            await asyncio.wait({sent, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(sent)

    async def _leave(self) -> None:
        """With the server, once all that was taken is finished."""
        await server_ends(self.socket.scope)
        with suppress(TimeoutError):  # a text that is being written may have no end
            async with asyncio.timeout(self.runtime.settings.server.drain_timeout + FAREWELL):
                await self._waiting.join()
        self._farewell = self._farewell or (RESTART, "service_restart")
        await self._outbox.put(())

    async def _read(self) -> None:
        await self._unless_refused(self.begin())
        while (frame := await self.socket.receive())["type"] != "websocket.disconnect":
            if not self._farewell:
                await self._unless_refused(self.take(frame.get("text")))

    async def _unless_refused(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except FiresideError as error:
            metrics.refused(self.route, error)
            await self.send(self.refusal(error))

    async def _speak_all(self) -> None:
        while True:
            job, cancelled, failure = await self._waiting.get(), False, None
            try:
                with metrics.part("utterance", self.route):
                    await self._speak_unless_cancelled(job)
            except Cancelled:
                cancelled = True
            except FiresideError as error:
                failure = error
            job.cancelled = cancelled  # a cancel may have come too late
            self.unfinished.remove(job)
            await self.finish(job, failure)
            self._waiting.task_done()

    async def _speak_unless_cancelled(self, job: J) -> None:
        """In a task of its own, so that a cancel ends this job and not the socket: Cancelled is raised then."""
        if job.cancelled:
            raise Cancelled
        with entering(self.socket.scope):
            self._speaking = asyncio.create_task(self.speak(job))
            try:
                await asyncio.wait({self._speaking})
            finally:
                await cancel(self._speaking)
        if self._speaking.cancelled():
            raise Cancelled
        self._speaking.result()

    async def _send_all(self) -> None:
        while frames := await self._outbox.get():
            for frame in frames:
                await (self.socket.send_bytes(frame) if isinstance(frame, bytes) else self.socket.send_text(frame))
            self._outbox.task_done()
        await self.socket.close(*(self._farewell or ()))

    async def _end(self, error: Exception) -> None:
        """Say why before closing. The client may have left meanwhile."""
        how = errors.refusal(error)
        with suppress(*GONE):
            await self.socket.send_text(orjson.dumps(self.refusal(error)).decode())
            await self.socket.close(how.close, how.code)
