"""Where the windows of a sentence start and stop, in frames of its latent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

# The first are small so that audio starts at once; longer ones cost less context but make a cancel wait. Beyond 128 they are no faster.
URGENT = (32, 48, 64, 128)
ALONE = (16, *URGENT)
"""For a first sound when nobody else's window can come between it and the next one: so little audio is in hand then."""
UNHURRIED = (128,)
"""For a sentence whose owner still has enough to play."""
ENOUGH = 1.0
"""Seconds of audio in hand that make small windows needless."""
# Lengths are rounded up to this: a shape never seen before costs twice a repeated one.
_STEP = 16


def sizes(in_hand: float, *, alone: bool = False) -> tuple[int, ...]:
    """`in_hand` is what the owner has to play, in seconds; `alone` that it hears nothing yet and no other sentence is in the making."""
    return ALONE if alone else UNHURRIED if in_hand > ENOUGH else URGENT


def plan(frames: int, growth: Sequence[int] = URGENT) -> Iterator[tuple[int, int]]:
    """A small rest goes with the window before it: most of a short window would be context."""
    start = 0
    for size in itertools.chain(growth, itertools.repeat(growth[-1])):
        stop = frames if frames - start <= size * 5 // 4 else start + size
        yield start, stop
        if stop == frames:
            return
        start = stop


def with_context(start: int, stop: int, frames: int, context: int) -> tuple[int, int]:
    """The window and the frames on both sides that its samples depend on; at the end of a sentence some more, for the shape's sake."""
    left, right = max(0, start - context), min(frames, stop + context)
    if right == frames and left > 0:
        left = max(0, right - round_up(right - left, _STEP))
    return left, right


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step
