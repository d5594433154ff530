"""Recordings on their way to a listening engine: decoded, and no more of them at a time than memory is meant for."""

from __future__ import annotations

import asyncio
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import numpy as np
from numpy.typing import NDArray

from api.places import Places
from models.errors import Overloaded
from voice.decode import decode

AT_ONCE = 4
"""How many of the longest may be in memory."""


class Recordings:
    def __init__(self, max_seconds: float, max_waiting: int = 32) -> None:
        self.places = Places(max_waiting, "recordings")
        """For those that come in files, from their upload on. A turn of a conversation waits behind none of them, and for none."""
        self.seconds = 0.0
        """Of all that are in memory."""
        self._longest = max_seconds
        self._threads = ThreadPoolExecutor(max_waiting, "decode")
        """Of their own, and one for each place: neither what else needs one nor a short recording waits behind hours of audio."""
        self._lock = threading.RLock()
        """Reentrant: the end of one may be told by a garbage collection, at any moment."""

    async def decoded(self, file: IO[bytes]) -> NDArray[np.float32]:
        """Mono samples at LISTENING_RATE, which count until nobody has them any more. On a thread, which ends when this is cancelled.

        Raises InvalidInput for what is no audio or too long, and Overloaded where there is no room for it.
        """
        one = _Recording(self)
        try:
            samples = await asyncio.get_running_loop().run_in_executor(self._threads, decode, file, self._longest, one.grow)
        except BaseException:
            one.end()
            raise
        weakref.finalize(samples, one.end)
        return samples

    def add(self, seconds: float) -> None:
        """Raises Overloaded where they are too many then."""
        if self.seconds + seconds > AT_ONCE * self._longest:
            raise Overloaded(f"{self.seconds:.0f} seconds of recordings wait to be heard, the most that are taken in: try again later")
        self.seconds += seconds


class _Recording:
    """One, as far as it is decoded."""

    def __init__(self, among: Recordings) -> None:
        self._among = among
        self._seconds = 0.0
        self._over = False

    def grow(self, seconds: float) -> bool:
        """False once it is over. Called on the thread that decodes."""
        with self._among._lock:
            if not self._over:
                self._among.add(seconds)
                self._seconds += seconds
            return not self._over

    def end(self) -> None:
        with self._among._lock:
            self._over = True
            self._among.seconds -= self._seconds
            self._seconds = 0.0
