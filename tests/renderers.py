"""Renderers with one peculiarity each, for the tests of the worker around them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from models.base import Audio, SpeechJob
from models.errors import WeightsError
from models.speech.mock import MockRenderer

RATE = 24000


class Confessing(MockRenderer):
    """Dies with a word on its lips."""

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        print("the disk is on fire", file=sys.stderr)
        os._exit(3)


class Confused(MockRenderer):
    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        if job.text == "fail":
            raise ZeroDivisionError
        return super().render(job, cancelled)


class Counting(MockRenderer):
    """Asked to "count", it says how many windows it has made of the other sentence, and how many that would have had."""

    WHOLE = 10_000

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._made = 0

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        if job.text == "count":
            yield Audio(np.array([self._made, self.WHOLE], np.int16), RATE)
            return
        while self._made < self.WHOLE and not cancelled():
            self._made += 1
            yield Audio(np.ones(10, np.int16), RATE)


class Hanging(MockRenderer):
    """Asked to "hang", it does after its first window, in a thread of which nothing more comes."""

    threads = 2

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        yield from super().render(job, cancelled)
        if job.text == "hang":
            threading.Event().wait()


class Progressing(MockRenderer):
    """Draws a bar as tqdm does, more of it than a pipe holds, and ends no line before the last."""

    def render(self, job: SpeechJob, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        bar = "#" * 10_000
        print("".join(f"\r{bar} {done} %" for done in range(101)), end="\n" if job.text == "last" else "", flush=True)
        return super().render(job, cancelled)


class Weightless(MockRenderer):
    def __init__(self, config: dict[str, Any]) -> None:
        raise WeightsError("no weights at /nowhere: pull the model first")
