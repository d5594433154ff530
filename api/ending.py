"""From the first SIGTERM or SIGINT to the end of the process, whoever started it and whatever its clients do.

uvicorn waits for requests in flight without a limit, and BentoML for uvicorn; so the limits are held here. And when BentoML's supervisor is
gone, nobody would ever end this process: it ends as by a SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from models.host import EngineHost, exit_process

log = logging.getLogger(__name__)

STOP = 20.0
"""Seconds that engines get to stop; they take less, or have a limit of their own."""
LAST_WORDS = 2.0
"""Seconds for the last bytes of the requests that were ended. Who has not read them by then (a client may never) does not get them."""

_PARENT = int(os.environ.get("FIRESIDE_SUPERVISOR") or os.getppid())
"""As `fireside serve` tells its workers. With a plain `bentoml serve` as it is at this import, before which seconds have passed."""

Handler = Callable[[int, FrameType | None], Any]


class Ending:
    """`engines` are the hosts, each with the seconds that requests in its engine get to finish."""

    def __init__(self, engines: list[tuple[EngineHost[Any], float]]) -> None:
        self._engines = engines
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._forget = on_end(self._begin)
        self._part = on_orphaned(self._loop, end_this_process)

    def forget(self) -> None:
        """Leave the signals alone from now on. An end that has begun goes on: it is the limit of the clean one too."""
        self._forget()
        self._part()

    def over(self) -> None:
        """The engines are stopped, and nothing is left to wait for. Python would wait for its threads, and one that imports vLLM cannot be
        called off."""
        if self._task is not None:
            last = threading.Timer(LAST_WORDS, exit_process, (0,))
            last.daemon = True
            last.start()

    def _begin(self) -> None:
        """In a signal handler: no more than flags."""
        for host, _ in self._engines:
            host.drain()
        if self._task is None:
            self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        self._task = self._task or asyncio.create_task(self._end(), name="ending")

    async def _end(self) -> None:
        longest = max(seconds for _, seconds in self._engines) + STOP
        stopped = await asyncio.gather(*(_stop(host, seconds, longest) for host, seconds in self._engines))
        await asyncio.sleep(LAST_WORDS)
        log.warning("leaving: the time for what was in flight is over")
        exit_process(0 if all(stopped) else 1)


async def _stop(host: EngineHost[Any], seconds: float, longest: float) -> bool:
    """Whether the engine was stopped: what was not is left to its own end, with this process."""
    await asyncio.sleep(seconds)
    try:
        async with asyncio.timeout(longest - seconds):
            await host.stop()
    except Exception:
        log.exception("%s could not be stopped", host.engine.name)
        return False
    return True


def on_end(call: Callable[[], None]) -> Callable[[], None]:
    """When SIGTERM or SIGINT comes, refuse new connections and call `call`, before whoever handles it now; returns what undoes this.

    Where nobody handles the signal it ends the process, and off the main thread Python allows no handler: nothing is done then.
    """
    previous: dict[int, Handler] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        call()
        _close_listeners(previous[number])
        previous[number](number, frame)

    def undo() -> None:
        for number, handler in previous.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if callable(handler := signal.getsignal(number)):
                previous[number] = handler
                signal.signal(number, handle)
    return undo


def on_orphaned(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> Callable[[], None]:
    """When the process that has started this one has ended, call `call`; returns what undoes this. Linux alone tells when it does."""
    try:
        if os.getppid() != _PARENT:  # whose number may be another's by now
            raise ProcessLookupError
        parent = os.pidfd_open(_PARENT)
    except ProcessLookupError:
        loop.call_soon(call)
        return lambda: None
    except (OSError, AttributeError):  # another system, or a sandbox that does not have it
        return lambda: None
    watched = [parent]

    def undo() -> None:
        while watched:
            loop.remove_reader(watched[0])
            os.close(watched.pop())

    def orphaned() -> None:
        undo()
        call()

    loop.add_reader(parent, orphaned)
    return undo


def end_this_process() -> None:
    log.error("BentoML's supervisor has ended: leaving, too")
    os.kill(os.getpid(), signal.SIGTERM)


def _close_listeners(handler: Handler) -> None:
    """uvicorn's handler is a method of its Server. Closing what it listens on is not enough: BentoML's supervisor holds the same socket,
    and the kernel would take connections for it that nobody answers. Shut down, the socket refuses them, in all who hold it."""
    for server in getattr(getattr(handler, "__self__", None), "servers", ()):
        shared = []
        for listener in server.sockets:
            with contextlib.suppress(OSError):  # no descriptor is left: who comes is not refused then, and waits in vain
                shared.append(socket.socket(fileno=os.dup(listener.fileno())))
        server.close()
        for listener in shared:
            with listener, contextlib.suppress(OSError):  # another worker was quicker
                listener.shutdown(socket.SHUT_RDWR)
