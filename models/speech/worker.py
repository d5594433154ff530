"""The process around a Renderer. The windows of several jobs take turns (models/turns.py), so that a long sentence does not hold up the
first sound of another client, nor a stream of newcomers the rest of a long sentence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from models import worker
from models.base import Audio, Renderer
from models.speech import codec
from models.steps import Steps
from models.turns import Rendering, Turns
from models.wire import Frame


class SpeechWorker:
    """Renders what the server asks for, on as many threads as the renderer wants."""

    def __init__(self, renderer: Renderer, connection: worker.Connection, steps: Steps) -> None:
        self.ready = {**codec.voices_head(renderer.voices()), "device": getattr(renderer, "device", "cpu")}
        self.loops: Sequence[Callable[[], None]] = (self._render,) * renderer.threads
        self._connection = connection
        self._renderer = renderer
        self._steps = steps
        self._turns = Turns(renderer.room)

    def take(self, frame: Frame) -> None:
        head = frame.head
        if head["kind"] == "render":
            self._turns.add(Rendering(head["id"], codec.job_of(head)))
        else:
            self._turns.cancel(head["id"])

    def _render(self) -> None:
        while True:
            self._turn(self._turns.next())

    def _turn(self, rendering: Rendering) -> None:
        try:
            audio = None if rendering.cancelled.is_set() else self._window(rendering)
        except Exception as error:
            self._end(rendering, worker.told(error, "the speech engine failed on this sentence"))
        else:
            self._pass_on(rendering, audio)

    def _window(self, rendering: Rendering) -> Audio | None:
        with self._steps.taking():
            if rendering.stream is None:
                rendering.stream = iter(self._renderer.render(rendering.job, rendering.cancelled.is_set))
            return next(rendering.stream, None)

    def _pass_on(self, rendering: Rendering, audio: Audio | None) -> None:
        if audio is None:
            self._end(rendering, {"kind": "done"})
            return
        if len(audio.samples):
            self._connection.send({"id": rendering.id, **codec.audio_head(audio)}, audio.samples.tobytes())
        self._turns.give_back(rendering, audio.seconds)

    def _end(self, rendering: Rendering, head: dict[str, Any]) -> None:
        if isinstance(rendering.stream, Generator):
            rendering.stream.close()
        self._turns.remove(rendering)
        self._connection.send(head | {"id": rendering.id})


if __name__ == "__main__":
    worker.main("speech", SpeechWorker)
