"""So many at a time, and no more: who comes when all places are taken is told to come back. A key has half of them at most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import Overloaded


class Places:
    def __init__(self, most: int, what: str) -> None:
        self.most = most
        self.what = what
        self._taken = Counter[str]()

    @property
    def taken(self) -> int:
        return self._taken.total()

    @contextmanager
    def taking(self, key: str = "") -> Iterator[None]:
        """For the key of this name, "" without keys."""
        if self.taken >= self.most:
            raise Overloaded(f"{self.taken} {self.what} are here already, the most that are let in: try again in a moment")
        if key and self._taken[key] >= max(1, self.most // 2):
            raise Overloaded(
                f"{self._taken[key]} {self.what} of the key {key!r} are here already, the most that one may have: wait for one"
            )
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
