"""The process around a Renderer: `python -m models.worker --fd N`, started by models/process.py and by nobody else.

One thread takes in what the server asks, others render. The windows of several jobs take turns (models/turns.py), so that a long
sentence does not hold up the first sound of another client, nor a stream of newcomers the rest of a long sentence.
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
from collections.abc import Callable, Generator
from dataclasses import asdict
from typing import Any

from models import wire
from models.base import Audio, Renderer, SpeechJob
from models.errors import EngineDied, EngineFailed, FiresideError, WeightsError
from models.turns import Rendering, Turns

_PR_SET_PDEATHSIG = 1


class ServerGoneError(Exception):
    """The server closed its end: there is nobody left to render for."""


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


class Worker:
    """Renders what the server asks for, on as many threads as the renderer wants."""

    def __init__(self, renderer: Renderer, connection: Connection) -> None:
        self._threads = renderer.threads
        self._connection = connection
        self._renderer = renderer
        self._turns = Turns(renderer.room)

    def run(self) -> None:
        """Never returns; the process ends with ServerGoneError or EngineDied in any of the threads."""
        for work in (self._read, *[self._render] * (self._threads - 1)):
            threading.Thread(target=_or_exit, args=(work,), daemon=True).start()
        self._render()

    def _read(self) -> None:
        while True:
            head = self._connection.receive().head
            if head["kind"] == "render":
                self._turns.add(Rendering(head["id"], SpeechJob(**head["job"])))
            else:
                self._turns.cancel(head["id"])

    def _render(self) -> None:
        while True:
            self._turn(self._turns.next())

    def _turn(self, rendering: Rendering) -> None:
        try:
            audio = None if rendering.cancelled.is_set() else self._window(rendering)
        except EngineDied:
            raise
        except FiresideError as error:
            self._end(rendering, _failed(error))
        except Exception as error:
            traceback.print_exc()
            self._end(rendering, _failed(EngineFailed(f"the speech engine failed on this sentence: {type(error).__name__}: {error}")))
        else:
            self._pass_on(rendering, audio)

    def _window(self, rendering: Rendering) -> Audio | None:
        if rendering.stream is None:
            rendering.stream = iter(self._renderer.render(rendering.job, rendering.cancelled.is_set))
        return next(rendering.stream, None)

    def _pass_on(self, rendering: Rendering, audio: Audio | None) -> None:
        if audio is None:
            self._end(rendering, {"kind": "done"})
            return
        if len(audio.samples):
            words = [(word.text, word.start, word.end) for word in audio.words]
            self._connection.send({"kind": "audio", "id": rendering.id, "rate": audio.rate, "words": words}, audio.samples.tobytes())
        self._turns.give_back(rendering, audio.seconds)

    def _end(self, rendering: Rendering, head: dict[str, Any]) -> None:
        if isinstance(rendering.stream, Generator):
            rendering.stream.close()
        self._turns.remove(rendering)
        self._connection.send(head | {"id": rendering.id})


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
