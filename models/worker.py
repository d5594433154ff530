"""What the worker processes share. Started by models/process.py and by nobody else, each loads an engine, does what the server asks, and
ends with it. There are two kinds: `python -m models.speech.worker --fd N --parent PID`, and the same with `models.listening.worker`.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from models import heap, wire
from models.errors import EngineDied, EngineFailed, FiresideError, WeightsError
from models.parent import end_with_parent
from models.steps import Steps

_REST = 5.0
"""Seconds without work after which memory is given back: of voices 200 MB, for 10 ms then, and 5 ms more until the next first sound."""

_LAST = 10.0
"""Seconds that the server has to end a worker that hangs, before it ends itself: what it sent last is then read for sure."""


class ServerGoneError(Exception):
    """The server closed its end: there is nobody left to work for."""


class Connection:
    """Frames over the socket that was inherited from the server. Several threads may send while one receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._stream = sock.makefile("rb")
        self._sending = threading.Lock()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        try:
            with self._sending:
                self._socket.sendall(wire.encode(head, body))
        except OSError as error:
            raise ServerGoneError from error

    def receive(self) -> wire.Frame:
        head, body = wire.lengths(self._read(wire.PREFIX))
        return wire.decode(self._read(head + body), head)

    def _read(self, size: int) -> bytes:
        content = self._stream.read(size)
        if len(content) < size:
            raise ServerGoneError
        return content


class Worker(Protocol):
    """A loaded engine at work. An error out of `take` or of a loop ends the process."""

    ready: dict[str, Any]
    """What the server is told once it is loaded."""
    loops: Sequence[Callable[[], None]]
    """What it does, each on a thread of its own, without end."""

    def take(self, frame: wire.Frame) -> None:
        """What the server asks, in order. Returns at once."""


Kind = Callable[[Any, Connection, Steps], Worker]
"""Makes the Worker of a loaded engine, which takes its steps."""


def main(name: str, kind: Kind) -> None:
    """The process: `kind` makes the Worker of the engine that the server names, whose settings are those of `name`."""
    parser = argparse.ArgumentParser(description=f"The {name} engine of the Fireside server that starts it.")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    parser.add_argument("--parent", type=int, required=True, help="the process of that server")
    arguments = parser.parse_args()
    _die_with_the_server(arguments.parent)
    connection = Connection(socket.socket(fileno=arguments.fd))
    _or_exit(lambda: _serve(name, kind, connection))


def _serve(name: str, kind: Kind, connection: Connection) -> None:
    asked = connection.receive().head
    steps = Steps(asked["step_timeout"])
    try:
        worker = kind(_make(name, asked["class"], asked["config"]), connection, steps)
    except FiresideError as error:
        connection.send(failed(error))
        return
    connection.send({"kind": "ready", **worker.ready})
    _run(name, worker, connection, steps)


def _run(name: str, worker: Worker, connection: Connection, steps: Steps) -> None:
    """Never returns; the process ends with ServerGoneError or another error in any of the threads, or when one of them hangs."""

    def read() -> None:
        while True:
            worker.take(connection.receive())

    def watch() -> None:
        steps.watch()
        faulthandler.dump_traceback()
        why = f"the {name} worker hung: a step of its work took more than {steps.timeout:g} s ({name}.step_timeout)"
        connection.send({"kind": "hung", "message": why})
        time.sleep(_LAST)
        raise EngineDied(why)

    def tidy() -> None:
        while True:
            time.sleep(_REST)
            if steps.rested():
                heap.give_back()

    here, *others = worker.loops
    for work in (read, watch, tidy, *others):
        threading.Thread(target=_or_exit, args=(work,), daemon=True).start()
    here()


def _make(name: str, path: str, config: dict[str, Any]) -> Any:
    """`package.module:Class`, called with its configuration."""
    module, _, member = path.partition(":")
    try:
        return getattr(importlib.import_module(module), member)(config)
    except ImportError as error:
        raise WeightsError(
            f"the {name} engine needs a package that is not here: {error}; install the requirements of its profile"
        ) from error


def failed(error: FiresideError) -> dict[str, Any]:
    return {"kind": "failed", "error": type(error).__name__, "message": str(error)}


def told(error: Exception, what: str) -> dict[str, Any]:
    """The last frame of a job that an engine failed on. EngineDied is no matter of one job: it goes through and ends the process."""
    if isinstance(error, EngineDied):
        raise error
    if isinstance(error, FiresideError):
        return failed(error)
    traceback.print_exception(error)
    return failed(EngineFailed(f"{what}: {type(error).__name__}: {error}"))


def _die_with_the_server(pid: int) -> None:
    """The server drains on SIGTERM and ends the worker itself; but if it is killed, the worker must not outlive it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(pid)


def _or_exit(work: Callable[[], None]) -> None:
    """Run, then leave at once from whichever thread this is: a library's exit handlers could hang on a half-finished job."""
    code = 0
    try:
        work()
    except ServerGoneError:
        pass
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)
