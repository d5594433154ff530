"""The few figures that a benchmark reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest values. Raises ValueError without values: a figure of nothing is a mistake, not a zero."""
    if not values:
        raise ValueError("no values to take a quantile of")
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured quantity: its median over the rounds and how far the rounds lay apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        values = list(values)
        if not values:
            raise ValueError("no rounds to take a figure of")
        return cls(median(values), min(values), max(values))

    def scaled(self, factor: float) -> Figure:
        return Figure(self.median * factor, self.low * factor, self.high * factor)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Round by round, so that what slows a whole round down weighs on both."""
    return Figure.of(one / other for one, other in zip(ours, theirs, strict=True))


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
