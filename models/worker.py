"""The process around a Renderer: `python -m models.worker --fd N`, started by models/process.py and by nobody else.

A reader thread takes in what the server asks, one loop renders. The windows of several jobs take turns, so that a long sentence
does not hold up the first sound of another client, nor a stream of newcomers the rest of a long sentence; the sentences of one owner
are made in their order.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from models import wire
from models.base import Audio, Renderer, SpeechJob
from models.errors import EngineDied, EngineFailed, FiresideError, WeightsError

_PR_SET_PDEATHSIG = 1
PATIENCE = 32
"""Turns after which a sentence that was begun goes before one that arrives now. More than are usually inside at once (speech.concurrency):
first windows come first unless there are too many of them."""


class ServerGoneError(Exception):
    """The server closed its end: there is nobody left to render for."""


class Connection:
    """Frames over the socket that was inherited from the server. One thread may send while another receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._stream = sock.makefile("rb")

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        try:
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


@dataclass(slots=True)
class Running:
    """A job that was asked for and is neither finished nor cancelled. `due` is the turn at which its next window is: see Jobs.next."""

    id: int
    job: SpeechJob
    cancelled: threading.Event = field(default_factory=threading.Event)
    stream: Iterator[Audio] | None = None
    due: int = 0


class Jobs:
    """What is to be rendered, shared by the reader thread and the render loop."""

    def __init__(self, free: Callable[[SpeechJob], bool] = lambda job: True) -> None:
        """`free` says whether a sentence could begin now: those for which there is no room are passed over."""
        self._free = free
        self._running: dict[int, Running] = {}
        self._turn = 0
        self._changed = threading.Condition()

    def add(self, running: Running) -> None:
        with self._changed:
            running.due = self._turn
            self._running[running.id] = running
            self._changed.notify()

    def cancel(self, job_id: int) -> None:
        with self._changed:
            if running := self._running.get(job_id):
                running.cancelled.set()

    def remove(self, running: Running) -> None:
        with self._changed:
            del self._running[running.id]

    def next(self) -> Running:
        """Wait for work and choose: of every owner only the earliest sentence, or one that was begun, of those the one that was due first.

        The first window is due when the job arrives, each other one PATIENCE turns after the one before it. So first windows come first,
        then who was served longest ago; and whoever has waited for PATIENCE turns goes before all who come later, so that nobody starves.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._running)
            heads: dict[str, Running] = {}
            for running in sorted(self._running.values(), key=lambda one: (one.stream is None, one.job.index, one.id)):
                heads.setdefault(running.job.owner, running)
            chosen = min(filter(self._can_go_on, heads.values()), key=lambda one: (one.due, one.id))
            self._turn += 1
            chosen.due = self._turn + PATIENCE
            return chosen

    def _can_go_on(self, running: Running) -> bool:
        return running.stream is not None or running.cancelled.is_set() or self._free(running.job)


class Worker:
    def __init__(self, renderer: Renderer, connection: Connection) -> None:
        self._renderer = renderer
        self._connection = connection
        self._jobs = Jobs(getattr(renderer, "free", lambda job: True))

    def run(self) -> None:
        """Never returns; ends with ServerGoneError or EngineDied."""
        threading.Thread(target=_or_exit, args=(self._read,), daemon=True).start()
        while True:
            self._turn(self._jobs.next())

    def _read(self) -> None:
        while True:
            head = self._connection.receive().head
            if head["kind"] == "render":
                self._jobs.add(Running(head["id"], SpeechJob(**head["job"])))
            else:
                self._jobs.cancel(head["id"])

    def _turn(self, running: Running) -> None:
        try:
            audio = None if running.cancelled.is_set() else self._window(running)
        except EngineDied:
            raise
        except FiresideError as error:
            self._end(running, _failed(error))
        except Exception as error:
            traceback.print_exc()
            self._end(running, _failed(EngineFailed(f"the speech engine failed on this sentence: {type(error).__name__}: {error}")))
        else:
            self._pass_on(running, audio)

    def _window(self, running: Running) -> Audio | None:
        if running.stream is None:
            running.stream = iter(self._renderer.render(running.job, running.cancelled.is_set))
        return next(running.stream, None)

    def _pass_on(self, running: Running, audio: Audio | None) -> None:
        if audio is None:
            self._end(running, {"kind": "done"})
        elif len(audio.samples):
            words = [(word.text, word.start, word.end) for word in audio.words]
            self._connection.send({"kind": "audio", "id": running.id, "rate": audio.rate, "words": words}, audio.samples.tobytes())

    def _end(self, running: Running, head: dict[str, Any]) -> None:
        self._jobs.remove(running)
        if isinstance(running.stream, Generator):
            running.stream.close()  # before the next turn: another sentence may wait for its room
        self._connection.send(head | {"id": running.id})


def main() -> None:
    parser = argparse.ArgumentParser(prog="models.worker", description="Renders speech for the Fireside server that starts it.")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    arguments = parser.parse_args()
    _die_with_the_server()
    connection = Connection(socket.socket(fileno=arguments.fd))
    _or_exit(lambda: _serve(connection))


def _serve(connection: Connection) -> None:
    asked = connection.receive().head
    try:
        renderer = _make(asked["renderer"], asked["config"])
    except FiresideError as error:
        connection.send(_failed(error))
        return
    voices = [asdict(voice) for voice in renderer.voices()]
    connection.send({"kind": "ready", "voices": voices, "device": getattr(renderer, "device", "cpu")})
    Worker(renderer, connection).run()


def _make(path: str, config: dict[str, Any]) -> Renderer:
    """`package.module:Class`, called with its configuration."""
    module, _, name = path.partition(":")
    try:
        renderer: Renderer = getattr(importlib.import_module(module), name)(config)
    except ImportError as error:
        raise WeightsError(
            f"the speech engine needs a package that is not here: {error}; install the requirements of its profile"
        ) from error
    return renderer


def _failed(error: FiresideError) -> dict[str, Any]:
    return {"kind": "failed", "error": type(error).__name__, "message": str(error)}


def _die_with_the_server() -> None:
    """The server drains on SIGTERM and ends the worker itself; but if it is killed, the worker must not outlive it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _or_exit(work: Callable[[], None]) -> None:
    """Run, then leave at once from whichever thread this is: a library's exit handlers could hang on a half-finished render."""
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


if __name__ == "__main__":
    main()
