"""What the renderer needs of a Coqui model that is not VITS, and how it finds that a model has no room for another sentence."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.base import Voice

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice as clients ask for it, and the name by which its model knows it."""

    voice: Voice
    name: str


class SentenceModel(Protocol):
    """One checkpoint on one device. Two threads may advance two of its streams at once, and one stream may go from thread to thread."""

    rate: int
    """Samples per second."""
    copies: int
    """Sentences it makes at once."""

    def voices(self, name: str, licence: str) -> Sequence[Speaker]:
        """`name` is the model's, as clients know it."""

    def free(self) -> bool:
        """Whether a stream that begins now would not have to wait for the end of another."""

    def stream(
        self, text: str, speaker: str, language: str, speed: float, seed: int | None, cancelled: Callable[[], bool]
    ) -> Generator[Samples, None, None]:
        """The samples of one sentence in -1..1, in order; `language` is one of the voice's, or "" for its own.

        Ends early once `cancelled` says so; closing it stops the work. Raises InvalidInput, or EngineFailed for this sentence alone.
        """


class Slots:
    """Room for so many sentences at once. A slot belongs to a sentence and not to a thread."""

    def __init__(self, number: int) -> None:
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(number):
            self._free.put(slot)

    def free(self) -> bool:
        return not self._free.empty()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Waits while there is none: ask `free` first."""
        slot = self._free.get()
        try:
            yield
        finally:
            self._free.put(slot)
