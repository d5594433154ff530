"""So many at a time, and no more: who comes when all places are taken is told to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import Overloaded


class Places:
    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self.taken = 0

    @contextmanager
    def taking(self) -> Iterator[None]:
        if self.taken >= self.most:
            raise Overloaded(f"{self.taken} {self.what} are here already, the most that are let in: try again in a moment")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
