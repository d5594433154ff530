"""The server's end of a speech worker: starts the process, sends it jobs, hands on what it makes. Pure asyncio; nothing here blocks."""

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import errors, wire
from models.base import Audio, SpeechJob, Voice, Word
from models.errors import EngineDied, EngineFailed

log = logging.getLogger(__name__)

_ROOT = Path(__file__).parent.parent
_LAST_LINES = 12
_LONGEST_LINE = 8192
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What a worker says once it is loaded and warm."""

    voices: tuple[Voice, ...]
    device: str


class WorkerProcess:
    """One worker from its start to its end; a restart is a new object. Make it with `WorkerProcess.start`."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        # What came for each job and was not taken yet. Not bounded: a job is one sentence, so that its audio is.
        self._inboxes: dict[int, asyncio.Queue[wire.Frame | EngineFailed]] = {}
        self._stopped = False
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._logs = asyncio.create_task(self._log())
        self._loaded: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.create_task(self._receive())

    @classmethod
    async def start(cls, renderer: str, config: dict[str, Any], start_timeout: float, env: dict[str, str] | None = None) -> WorkerProcess:
        """Start, load and warm up. `renderer` is `package.module:Class`, `start_timeout` in seconds.

        Raises what the renderer raises, EngineDied, or EngineFailed when it is not ready in time.
        """
        worker = await cls._spawn(env or {})
        try:
            worker._send({"kind": "load", "renderer": renderer, "config": config})
            async with asyncio.timeout(start_timeout):
                await asyncio.shield(worker._loaded)
        except TimeoutError as error:
            await worker.stop()
            raise EngineFailed(
                f"the speech worker was not ready within {start_timeout:g} s: raise speech.start_timeout, or see its log"
            ) from error
        except BaseException:
            await worker.stop()
            raise
        return worker

    @classmethod
    async def _spawn(cls, env: dict[str, str]) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "models.worker", "--fd", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=_environment(env),
            )
        return cls(process, *await asyncio.open_connection(sock=ours))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> Ready:
        return self._loaded.result()

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    @property
    def jobs(self) -> int:
        return len(self._inboxes)

    async def died(self) -> str:
        """Wait for the end of the process and say how it came about."""
        return await asyncio.shield(self._ended)

    async def render(self, job: SpeechJob) -> AsyncGenerator[Audio, None]:
        """The audio of one job. Closing it cancels the job; EngineDied if the worker ends with the job in it."""
        if not self.alive:
            raise EngineDied(self._ended.result())
        job_id, inbox = next(self._ids), asyncio.Queue[wire.Frame | EngineFailed]()
        self._inboxes[job_id] = inbox
        try:
            self._send({"kind": "render", "id": job_id, "job": asdict(job)})
            while (audio := _audio(await inbox.get())) is not None:
                yield audio
        finally:
            # Still there when the consumer left before the end, or the job was cancelled.
            if self._inboxes.pop(job_id, None) is not None and self.alive:
                self._send({"kind": "cancel", "id": job_id})

    async def stop(self) -> None:
        """End the process and wait for it. Jobs still in it get EngineDied."""
        self._stopped = self.alive
        self._writer.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self.died()
        except TimeoutError:
            self._kill()
            await self.died()

    def _send(self, head: dict[str, Any]) -> None:
        self._writer.write(wire.encode(head))

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
            self._loaded.set_result(Ready(tuple(map(_voice, head["voices"])), head["device"]))
        elif "id" not in head:
            self._loaded.set_exception(_error(head))
        elif inbox := self._inboxes.get(head["id"]):
            inbox.put_nowait(frame)
            if head["kind"] != "audio":
                del self._inboxes[head["id"]]

    def _bury(self, code: int) -> str:
        why = errors.STOPPED if self._stopped else f"the speech worker {_exit(code)}"
        if not self._stopped:  # its words are for the log, not for clients: they name files and code
            log.error("%s; its last lines:%s", why, "".join(f"\n  {line}" for line in self._last_lines) or " none")
        for inbox in self._inboxes.values():
            inbox.put_nowait(EngineDied(why))
        self._inboxes.clear()
        if not self._loaded.done():
            self._loaded.set_exception(EngineDied(why))
        self._loaded.exception()  # whoever waited has it; a start given up has nobody waiting
        return why

    async def _log(self) -> None:
        assert self._process.stdout is not None
        async for line in _lines(self._process.stdout):
            self._last_lines.append(line)
            log.info("speech worker %d: %s", self.pid, line)


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
    return {**os.environ, **extra, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def _audio(item: wire.Frame | EngineFailed) -> Audio | None:
    """None at the end of the job. Raises what went wrong with it."""
    if isinstance(item, EngineFailed):
        raise item
    if item.head["kind"] == "failed":
        raise _error(item.head)
    if item.head["kind"] == "done":
        return None
    words = tuple(Word(*word) for word in item.head["words"])
    return Audio(np.frombuffer(item.body, np.int16), int(item.head["rate"]), words)


def _voice(told: dict[str, Any]) -> Voice:
    return Voice(**told | {"languages": tuple(told["languages"])})


def _error(head: dict[str, Any]) -> errors.FiresideError:
    kind = getattr(errors, head["error"], EngineFailed)
    error: errors.FiresideError = kind(head["message"])
    return error


def _exit(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
