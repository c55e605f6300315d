"""The arithmetic of the benchmarks: spreads, pairs and thresholds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of `count` figures, in whatever unit they have."""

    minimum: float
    median: float
    maximum: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Raises ValueError when there is none, or one that is not a number."""
        figures = sorted(values)
        if not figures or any(figure != figure for figure in figures):
            raise ValueError("no figures to summarise")
        return cls(figures[0], statistics.median(figures), figures[-1], len(figures))

    def to_json(self) -> dict[str, float]:
        """For the JSON report."""
        return {"min": self.minimum, "median": self.median, "max": self.maximum, "count": self.count}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Pair by pair, ours / theirs: a machine that slows down for a while slows both of a pair, not the ratio.

    Raises ValueError when the two don't pair up or one of theirs is not positive.
    """
    if any(figure <= 0 for figure in theirs):
        raise ValueError("a ratio to nothing")
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Pair by pair, ours - theirs. Raises ValueError when the two don't pair up."""
    return [our - their for our, their in zip(ours, theirs, strict=True)]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A promise: `value` must not be above `limit` (both in `unit`). `value` is None when it was not measured."""

    name: str
    limit: float
    unit: str
    value: float | None

    @property
    def met(self) -> bool | None:
        """None when there is nothing to compare."""
        return None if self.value is None else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """For the JSON report."""
        return {"name": self.name, "limit": self.limit, "unit": self.unit, "value": self.value, "met": self.met}

    def words(self) -> str:
        """One line for a person."""
        verdict = {True: "met", False: "NOT MET", None: "not measured"}[self.met]
        unit = f" {self.unit}" if self.unit else ""
        value = "-" if self.value is None else number(self.value) + unit
        return f"{verdict:<12} {self.name}: {value} (at most {number(self.limit)}{unit})"


def number(value: float) -> str:
    """Four significant digits, never in exponent form, whole numbers whole."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:.0f}"
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{digits}f}"


def order(pair: int) -> tuple[str, str]:
    """Who goes first in this pair: in turn, so that what the first one leaves behind (warm caches, a hot or throttled
    processor, dirty pages) helps and hurts both alike."""
    return ("plain", "sandboxed") if pair % 2 == 0 else ("sandboxed", "plain")
