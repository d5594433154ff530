"""The process around a Listener. One thread answers the windows of all detectors, at once and in order; others transcribe, and one of them
nothing but what is urgent, so that nobody in a conversation waits for a file."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import worker
from models.base import WINDOW, Heard, Listener
from models.listening import codec
from models.listening.line import Line, Listening
from models.steps import Steps
from models.wire import Frame

Hearing = Callable[[NDArray[np.float32]], float]


class ListeningWorker:
    def __init__(self, listener: Listener, connection: worker.Connection, steps: Steps) -> None:
        self.ready = {"model": listener.model, "device": listener.device}
        self.loops: Sequence[Callable[[], None]] = (self._transcribe_urgent, self._detect, *(self._transcribe,) * listener.threads)
        self._connection = connection
        self._listener = listener
        self._steps = steps
        self._line = Line()
        self._parts: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._windows: SimpleQueue[Frame] = SimpleQueue()
        self._detectors: dict[int, Hearing] = {}

    def take(self, frame: Frame) -> None:
        job_id = frame.head["id"]
        match frame.head["kind"]:
            case "audio":
                self._parts[job_id] += frame.body
            case "transcribe":
                self._line.add(Listening(job_id, codec.job_of(frame.head, self._parts.pop(job_id, b""))))
            case "cancel":
                self._parts.pop(job_id, None)
                self._line.cancel(job_id)
                self._windows.put(frame)
            case _:
                self._windows.put(frame)

    def _transcribe(self) -> None:
        while True:
            self._turn(self._line.next())

    def _transcribe_urgent(self) -> None:
        while True:
            self._turn(self._line.next(urgent=True))

    def _turn(self, listening: Listening) -> None:
        try:
            ended, heard = (True, None) if listening.cancelled.is_set() else self._item(listening)
        except Exception as error:
            self._end(listening, worker.told(error, "the listening engine failed on this audio"))
            return
        if heard is not None:
            self._connection.send({"id": listening.id, "begun": listening.begun, **codec.heard_head(heard)})
        if ended:
            self._end(listening, {"kind": "done"})
        else:
            self._line.give_back(listening)

    def _item(self, listening: Listening) -> tuple[bool, Heard | None]:
        """Whether that was all, and what was heard."""
        if listening.stream is None:
            listening.begun = time.monotonic()
            listening.stream = iter(self._listener.transcribe(listening.job, self._asked(listening)))
        with self._steps.taking():
            for heard in listening.stream:
                return False, heard
        return True, None

    def _asked(self, listening: Listening) -> Callable[[], bool]:
        """Whether it is cancelled. Who asks does not hang."""

        def cancelled() -> bool:
            self._steps.again()
            return listening.cancelled.is_set()

        return cancelled

    def _end(self, listening: Listening, head: dict[str, Any]) -> None:
        if isinstance(listening.stream, Generator):
            listening.stream.close()
        self._line.remove(listening)
        self._connection.send(head | {"id": listening.id})

    def _detect(self) -> None:
        while True:
            frame = self._windows.get()
            try:
                self._answer(frame)
            except Exception as error:
                self._detectors.pop(frame.head["id"], None)
                self._connection.send(worker.told(error, "the speech detector failed") | {"id": frame.head["id"]})

    def _answer(self, frame: Frame) -> None:
        head = frame.head
        match head["kind"]:
            case "detect":
                self._detectors[head["id"]] = self._listener.detector()
            case "windows" if hearing := self._detectors.get(head["id"]):
                windows = codec.samples_of(frame.body).reshape(-1, WINDOW)
                with self._steps.taking():
                    answer = np.array([hearing(window) for window in windows], np.float32)
                self._connection.send({"kind": "probabilities", "id": head["id"], "number": head["number"]}, answer.tobytes())
            case "cancel":
                self._detectors.pop(head["id"], None)


if __name__ == "__main__":
    worker.main("listening", ListeningWorker)
