"""What is freed in the midst of blocks that live on goes back to the system."""

from __future__ import annotations

import gc
import random
import weakref

import psutil

from models import heap


class Ring:
    def __init__(self) -> None:
        self.next = self


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


def test_free_pages_between_living_blocks_go_back() -> None:
    blocks = [random.randbytes(4000) for _ in range(20_000)]
    full = resident()
    kept = blocks[::100]
    del blocks
    heap.give_back()
    assert full - resident() > 40_000_000
    assert len(kept) == 200


def test_what_was_frozen_is_collected_too() -> None:
    ring = Ring()
    kept = weakref.ref(ring)
    del ring
    gc.freeze()
    gc.collect()
    assert kept() is not None
    heap.collect()
    assert kept() is None
