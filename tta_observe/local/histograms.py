"""Explicit buckets: adding them up, and what they say about a distribution."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fell up to each of *bounds*, and, last, above all of them; *total* is the sum of the values."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def recorded(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """The arithmetic mean; None when nothing was recorded."""
        return self.total / self.recorded if self.recorded else None

    def quantile(self, q: float) -> float | None:
        """
        Estimate the *q*-quantile; None when nothing was recorded, or there are no bounds.

        Linear inside a bucket, as ``histogram_quantile`` of Prometheus 3 is for classic histograms: the first bucket
        begins at 0, and what lies in the last one is said to be its lower bound.

        Raises:
            ValueError: *q* is not within 0..1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"A quantile is within 0..1, {q} is not.")
        if not self.recorded:
            return None
        rank = q * self.recorded
        reached = tuple(accumulate(self.counts))
        bucket = max(bisect_left(reached, rank), _first(self.counts))
        return self._inside(bucket, rank - (reached[bucket] - self.counts[bucket]))

    def _inside(self, bucket: int, rank: float) -> float | None:
        if bucket >= len(self.bounds):
            return self.bounds[-1] if self.bounds else None
        upper = self.bounds[bucket]
        lower = self.bounds[bucket - 1] if bucket else min(0.0, upper)
        return lower + (upper - lower) * rank / self.counts[bucket]


def merged(histograms: Sequence[Histogram]) -> Histogram:
    """
    Add up *histograms*, of which there is at least one.

    Where bounds differ, as between two versions of a program, a bucket counts in the one that its upper bound falls
    into: nothing is said to have been faster than it was.
    """
    bounds, counts = histograms[0].bounds, [0] * len(histograms[0].counts)
    for each in histograms:
        for bound, count in zip((*each.bounds, math.inf), each.counts, strict=True):
            counts[bisect_left(bounds, bound)] += count
    return Histogram(bounds, tuple(counts), sum(each.total for each in histograms))


def _first(counts: tuple[int, ...]) -> int:
    return next(bucket for bucket, count in enumerate(counts) if count)
