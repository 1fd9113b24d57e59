"""Means with bootstrap confidence intervals, over pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
_Statistic = Callable[[NDArray[np.int64]], Numbers]


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty over pictures.

    Attributes:
        value: the mean, or the ratio of two means.
        low: lower end of the interval; None of fewer than two pictures.
        high: upper end.
        n: pictures used.
    """

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap over pictures (Efron 1979); the same seed gives the same interval.

    Attributes:
        resamples: how often pictures are drawn with replacement.
        confidence: of the interval, 0 to 1.
        seed: of the draws.
    """

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def mean(self, values: Sequence[float]) -> Estimate | None:
        """The mean; None of no pictures."""
        if not values:
            return None
        numbers = np.asarray(values, np.float64)
        return self._estimate(float(numbers.mean()), numbers, lambda picks: numbers[picks].mean(1))

    def ratio(self, tops: Sequence[float], bottoms: Sequence[float]) -> Estimate | None:
        """Mean of ``tops`` over mean of ``bottoms``, of the same pictures in the same order.

        None of no pictures, or where the mean below is not above zero: such a ratio says nothing.
        """
        above, below = np.asarray(tops, np.float64), np.asarray(bottoms, np.float64)
        if not len(above) or below.mean() <= 0:
            return None

        def ratios(picks: NDArray[np.int64]) -> Numbers:
            means = below[picks].mean(1)
            # A draw whose mean below is not positive has no ratio; it stands at the far end.
            return np.where(means > 0, above[picks].mean(1) / np.where(means > 0, means, 1), np.inf)

        return self._estimate(float(above.mean() / below.mean()), above, ratios)

    def _estimate(self, value: float, numbers: Numbers, statistic: _Statistic) -> Estimate:
        count = len(numbers)
        if count < 2:
            return Estimate(value, None, None, count)
        draws = np.random.default_rng(self.seed)
        picks = draws.integers(count, size=(self.resamples, count))
        tails = ((1 - self.confidence) / 2, (1 + self.confidence) / 2)
        low, high = np.quantile(statistic(picks), tails, method="inverted_cdf")
        return Estimate(value, _finite(low), _finite(high), count)


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None
