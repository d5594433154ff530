"""Work of several threads done on one device in one go, where that is faster than one after another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Sequence[T]], Sequence[R]]


@dataclass(eq=False, slots=True)
class _Call:
    key: Hashable
    work: Work[Any, Any]
    item: Any
    result: Future[Any] = field(default_factory=Future)


class Batches:
    """Who comes to the device first takes along what has come by then with the same key, `most` items at once; with 1 there is no waiting.

    The others do what needs no device meanwhile, as phonemes: so it is kept busy.
    """

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self._waiting: list[_Call] = []
        self._lock = threading.Lock()
        self._device = threading.Lock()

    def run(self, key: Hashable, work: Work[T, R], item: T) -> R:
        """`work([item])[0]`, perhaps made together with other items of this key. Raises what `work` raises for this item alone."""
        if self.most == 1:
            return work([item])[0]
        call = _Call(key, work, item)
        with self._lock:
            self._waiting.append(call)
        with self._device:
            if not call.result.done():
                _make(self._take(call))
        result: R = call.result.result()
        return result

    def _take(self, first: _Call) -> list[_Call]:
        with self._lock:
            same = [call for call in self._waiting if call.key == first.key and call is not first]
            batch = [first, *same[: self.most - 1]]
            for call in batch:
                self._waiting.remove(call)
            return batch


def _make(batch: list[_Call]) -> None:
    """If it cannot be made in one go, by halves: memory may do for fewer, and a bad item is to harm no other."""
    if not _made(batch):
        half = len(batch) // 2
        _make(batch[:half])
        _make(batch[half:])


def _made(batch: list[_Call]) -> bool:
    """Whether all have a result, or the only one its error. On return the error is gone, and so are the tensors that its traceback held."""
    try:
        for call, result in zip(batch, batch[0].work([call.item for call in batch]), strict=True):
            call.result.set_result(result)
    except Exception as error:
        if len(batch) > 1:
            return False
        batch[0].result.set_exception(error)
    return True
