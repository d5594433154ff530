"""The server's end of a worker: starts the process, sends it jobs, hands on what it makes. Pure asyncio; nothing here blocks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import errors, wire
from models.errors import EngineDied, EngineFailed
from models.limit import loaded_within
from models.quiet import QUIET

log = logging.getLogger(__name__)

_ROOT = Path(__file__).parent.parent
_LAST_LINES = 12
_LONGEST_LINE = 8192
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What a worker is for, as the settings name it, and the module that is its process."""

    name: str
    module: str


class Exchange:
    """One job with a worker: what is sent for it, and what comes back. Close it. What comes back for a probe counts for nothing."""

    def __init__(self, worker: WorkerProcess, id: int, probe: bool) -> None:  # noqa: A002 - the word for it
        # What came and was not taken yet. Not bounded: a job is a sentence, or a recording, so that what it makes is.
        self.inbox = asyncio.Queue[wire.Frame | EngineFailed]()
        self.probe = probe
        self._worker = worker
        self._id = id

    def send(self, kind: str, body: bytes = b"", **head: Any) -> None:
        self._worker.send({"kind": kind, "id": self._id, **head}, body)

    async def receive(self) -> wire.Frame | None:
        """The next frame; None at the end of the job. Raises what went wrong with it, EngineDied if the worker ended."""
        item = await self.inbox.get()
        if isinstance(item, wire.Frame) and item.head["kind"] not in wire.LAST:
            return item
        self.inbox.put_nowait(item)  # whoever asks again is told the same
        if isinstance(item, EngineFailed):
            raise item
        if item.head["kind"] == "failed":
            raise _error(item.head)
        return None

    async def sent(self) -> None:
        """Wait until the worker has taken in most of what was sent: what is large goes in parts, so that others get between them."""
        await self._worker.drained()

    def close(self) -> None:
        """The worker is told to give the job up if it has not ended. Idempotent."""
        self._worker.forget(self._id)


class WorkerProcess:
    """One worker from its start to its end; a restart is a new object. Make it with `WorkerProcess.start`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._exchanges: dict[int, Exchange] = {}
        self.frames = 0
        """That have come for jobs, other than probes."""
        self._ended_by_us = ""
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._logs = asyncio.create_task(self._log())
        self._loaded: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.create_task(self._receive())

    @classmethod
    async def start(
        cls,
        kind: Kind,
        loads: str,
        config: dict[str, Any],
        start_timeout: float,
        env: dict[str, str] | None = None,
        *,
        step_timeout: float = 600,
    ) -> WorkerProcess:
        """Start, load and warm up. `loads` is `package.module:Class`; `start_timeout` in seconds, `step_timeout` as in models/steps.py.

        Raises what the class raises, EngineDied, or EngineFailed when it is not ready in time.
        """
        worker = await cls._spawn(kind, env or {})
        try:
            worker.send({"kind": "load", "class": loads, "config": config, "step_timeout": step_timeout})
            async with loaded_within(start_timeout, kind.name):
                await asyncio.shield(worker._loaded)
        except BaseException:
            await worker.stop()
            raise
        return worker

    @classmethod
    async def _spawn(cls, kind: Kind, env: dict[str, str]) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", kind.module, "--fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=_environment(env),
            )
        return cls(kind.name, process, *await asyncio.open_connection(sock=ours))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> dict[str, Any]:
        """What it said once it was loaded and warm."""
        return self._loaded.result()

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    @property
    def jobs(self) -> int:
        return sum(not exchange.probe for exchange in self._exchanges.values())

    async def died(self) -> str:
        """Wait for the end of the process and say how it came about."""
        return await asyncio.shield(self._ended)

    def begin(self, *, probe: bool = False) -> Exchange:
        """A new job. EngineDied where the worker has ended already."""
        if not self.alive:
            raise EngineDied(self._ended.result())
        job_id = next(self._ids)
        return self._exchanges.setdefault(job_id, Exchange(self, job_id, probe))

    async def job(self, kind: str, head: dict[str, Any], *, probe: bool = False) -> AsyncGenerator[wire.Frame, None]:
        """All that comes back for one job that is asked for at once. Closing it cancels the job."""
        with contextlib.closing(self.begin(probe=probe)) as exchange:
            exchange.send(kind, **head)
            while (frame := await exchange.receive()) is not None:
                yield frame

    def forget(self, job_id: int) -> None:
        # Still there when the consumer left before the end, or the job was cancelled.
        if self._exchanges.pop(job_id, None) is not None:
            self.send({"kind": "cancel", "id": job_id})

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        # Who waits for an answer is told how it ended, once that is known. Until then uvloop raises for who writes on what is closed.
        if self.alive and not self._writer.is_closing():
            self._writer.write(wire.encode(head, body))

    async def drained(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def stop(self) -> None:
        """End the process and wait for it. Jobs still in it get EngineDied."""
        if self.alive:
            self._ended_by_us = self._ended_by_us or errors.STOPPED
        self._writer.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self.died()
        except TimeoutError:
            self._kill()
            await self.died()

    def kill(self, why: str) -> None:
        """End a process that hangs, be it stopped by a signal. Jobs in it get EngineDied, which says `why`."""
        self._ended_by_us = why
        self._kill()

    def _kill(self) -> None:
        # Not Process.kill(): that polls first, and so takes the exit code away from asyncio's watcher, which then reports 255.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _receive(self) -> str:
        """Hand out what comes until the worker ends, then say how it ended."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._hand_out(await self._frame())
        self._kill()  # its end of the socket is closed: whatever it still does, nobody will hear
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._logs
        self._writer.close()
        return self._bury(code)

    async def _frame(self) -> wire.Frame:
        head, body = wire.lengths(await self._reader.readexactly(wire.PREFIX))
        return wire.decode(await self._reader.readexactly(head + body), head)

    def _hand_out(self, frame: wire.Frame) -> None:
        head = frame.head
        if head["kind"] == "ready":
            self._loaded.set_result(head)
        elif head["kind"] == "hung":
            self.kill(self._ended_by_us or head["message"])
        elif "id" not in head:
            self._loaded.set_exception(_error(head))
        else:
            self._deliver(frame)

    def _deliver(self, frame: wire.Frame) -> None:
        head = frame.head
        if exchange := self._exchanges.get(head["id"]):
            self.frames += not exchange.probe
            exchange.inbox.put_nowait(frame)
            if head["kind"] in wire.LAST:
                del self._exchanges[head["id"]]

    def _bury(self, code: int) -> str:
        why = self._ended_by_us or f"the {self._name} worker {_exit(code)}"
        if why != errors.STOPPED:  # its words are for the log, not for clients: they name files and code
            log.error("%s; its last lines:%s", why, "".join(f"\n  {line}" for line in self._last_lines) or " none")
        for exchange in self._exchanges.values():
            exchange.inbox.put_nowait(EngineDied(why))
        self._exchanges.clear()
        if not self._loaded.done():
            self._loaded.set_exception(EngineDied(why))
        self._loaded.exception()  # whoever waited has it; a start given up has nobody waiting
        return why

    async def _log(self) -> None:
        assert self._process.stdout is not None
        async for line in _lines(self._process.stdout):
            self._last_lines.append(line)
            log.info("%s worker %d: %s", self._name, self.pid, line)


async def _lines(stream: asyncio.StreamReader) -> AsyncGenerator[str, None]:
    """As a terminal shows them: a carriage return begins the line anew, as progress bars do. Overlong ones come in parts.

    Not StreamReader's own lines: it gives up at a long one, and a pipe that nobody reads stops its writer.
    """
    rest = b""
    while chunk := await stream.read(_LONGEST_LINE):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield _shown(line)
        rest = rest[rest.rfind(b"\r", 0, -1) + 1 :]
        while len(rest) > _LONGEST_LINE:
            yield _shown(rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
    if rest:
        yield _shown(rest)


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").rstrip().rpartition("\r")[2]


def _environment(extra: dict[str, str]) -> dict[str, str]:
    """Where `models` is found whatever the working directory, and no hub: what is served lies on this machine."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **extra, **QUIET, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def _error(head: dict[str, Any]) -> errors.FiresideError:
    kind = getattr(errors, head["error"], EngineFailed)
    error: errors.FiresideError = kind(head["message"])
    return error


def _exit(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
