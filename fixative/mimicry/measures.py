"""How close one set of pictures is to another, by their features: plain numbers of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
#: Random halves of the samples for KID's spread.
HALVES = 100
#: Smallest spread of a feature, relative to the largest: a constant feature tells nothing.
LEAST_SPREAD = 1e-3
#: Features are cut off at so many spreads: a few that run away would be all that counts.
MOST_SPREADS = 3.0
#: Of fewer pairs of imitators even the largest difference has p > 0.05: 2 / 2⁵ = 0.06 of five.
LEAST_PAIRS = 6


@dataclass(frozen=True)
class Spread:
    """A number and its standard deviation over random halves of the samples."""

    value: float
    spread: float


@dataclass(frozen=True)
class Scale:
    """What makes features comparable: each is measured from a mean in units of a spread.

    Attributes:
        centre: (D,) means.
        spread: (D,) standard deviations.
    """

    centre: Numbers
    spread: Numbers

    @staticmethod
    def of(vectors: Numbers) -> Scale:
        """Of (N, D) vectors."""
        spread = vectors.std(0)
        return Scale(vectors.mean(0), np.maximum(spread, LEAST_SPREAD * max(spread.max(), 1e-12)))

    def apply(self, vectors: Numbers) -> Numbers:
        """(N, D) → (N, D) within ±3."""
        return np.clip((vectors - self.centre) / self.spread, -MOST_SPREADS, MOST_SPREADS)


def kernel(first: Numbers, second: Numbers) -> Numbers:
    """KID's polynomial kernel (x·y/D + 1)³ (Binkowski et al. 2018); (N, D), (M, D) → (N, M)."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def mmd(first: Numbers, second: Numbers) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012) under KID's kernel.

    Args:
        first: (N, D), N of 2 or more.
        second: (M, D), M of 2 or more.
    """
    together = np.concatenate([first, second])
    return _mmd(kernel(together, together), len(first))


def kid(samples: Numbers, originals: Numbers, *, seed: int = 0) -> Spread:
    """KID of samples (N, D) to originals (M, D), and its spread over random halves of the samples.

    The halves are smaller than the whole, so the spread is on the safe side.
    """
    draws = np.random.default_rng(seed)
    half = max(2, len(samples) // 2)
    halves = [draws.permutation(len(samples))[:half] for _ in range(HALVES)]
    values = [mmd(samples[half], originals) for half in halves]
    return Spread(mmd(samples, originals), float(np.std(values)))


def distances(first: Numbers, second: Numbers) -> Numbers:
    """Root mean square differences of features: (N, D), (M, D) → (N, M)."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squares, 0) / first.shape[1])


def energy(samples: Numbers, originals: Numbers) -> float:
    """Energy distance (Székely & Rizzo 2013), unbiased: 2 E|x − y| − E|x − x'| − E|y − y'|.

    The squared MMD with minus the distance as its kernel (Sejdinovic et al. 2013). Unlike KID's
    cubic kernel it grows no faster than what it measures, and unlike a cosine it sees how far.

    Args:
        samples: (N, D), N of 2 or more.
        originals: (M, D), M of 2 or more.
    """
    together = np.concatenate([samples, originals])
    return _mmd(-distances(together, together), len(samples))


def similarities(samples: Numbers, originals: Numbers) -> Numbers:
    """Cosine of each sample with each original: (N, D), (M, D) → (N, M) in [−1, 1]."""
    return _unit(samples) @ _unit(originals).T


def permutation_test(
    pairs: Sequence[tuple[Numbers, Numbers]], *, permutations: int = 1000, seed: int = 0
) -> float:
    """Probability, under "no difference", of a discrepancy as large as the one seen.

    Permutation test of the sum of the strata's energy distances; which sample belongs to which
    side is drawn anew within each stratum. For samples that are independent of each other: those
    of one model, or of imitators that are taken as they are.

    Args:
        pairs: (N, D) and (M, D) vectors of each stratum.
        permutations: how often.
        seed: of the draws.

    Returns:
        The p value, 1/(permutations + 1) at least.
    """
    kernels = [_pooled(first, second) for first, second in pairs]
    seen = sum(_mmd(matrix, count) for matrix, count in kernels)
    draws = np.random.default_rng(seed)
    as_large = 0
    for _ in range(permutations):
        total = 0.0
        for matrix, count in kernels:
            order = draws.permutation(len(matrix))
            total += _mmd(matrix[np.ix_(order, order)], count)
        as_large += total >= seen
    return (as_large + 1) / (permutations + 1)


def swap_test(
    strata: Sequence[Sequence[tuple[Numbers, Numbers]]], *, permutations: int = 1000, seed: int = 0
) -> float | None:
    """The same, where what may differ by chance is not the sample but the imitator.

    What one LoRA draws is alike, and another seed gives another LoRA: a test over samples takes
    that for a difference between the sides. Here whole imitators change sides, each with the one
    that it was paired with (same set, same noise to draw from): a paired randomisation test
    (Fisher 1935) of the sum of the strata's energy distances.

    Args:
        strata: of each set, its pairs of imitators: (N, D) and (M, D) vectors.
        permutations: how often.
        seed: of the draws.

    Returns:
        The p value, 1/(permutations + 1) at least; None of fewer than ``LEAST_PAIRS`` pairs,
        of which no difference whatever would be told from chance.
    """
    if sum(map(len, strata)) < LEAST_PAIRS:
        return None
    sides = [_Sides.of(pairs) for pairs in strata]
    seen = sum(each.discrepancy(np.zeros(each.pairs, bool)) for each in sides)
    draws = np.random.default_rng(seed)
    as_large = 0
    for _ in range(permutations):
        swapped = [each.discrepancy(draws.random(each.pairs) < 0.5) for each in sides]
        as_large += sum(swapped) >= seen - 1e-12  # all or none swapped: the same but for rounding
    return (as_large + 1) / (permutations + 1)


@dataclass(frozen=True)
class _Sides:
    """A kernel matrix of all samples of some pairs; whose each is, and from which side."""

    matrix: Numbers
    owner: NDArray[np.int64]
    side: NDArray[np.bool_]
    pairs: int

    @staticmethod
    def of(pairs: Sequence[tuple[Numbers, Numbers]]) -> _Sides:
        parts = [(n, k, part) for n, pair in enumerate(pairs) for k, part in enumerate(pair)]
        together = np.concatenate([part for _, _, part in parts])
        owner = np.concatenate([np.full(len(part), n) for n, _, part in parts])
        side = np.concatenate([np.full(len(part), bool(k)) for _, k, part in parts])
        return _Sides(-distances(together, together), owner, side, len(pairs))

    def discrepancy(self, swapped: NDArray[np.bool_]) -> float:
        """The energy distance of the two sides, after pairs were swapped."""
        side = self.side ^ swapped[self.owner]
        order = np.argsort(side, kind="stable")
        return _mmd(self.matrix[np.ix_(order, order)], int((~side).sum()))


def _pooled(first: Numbers, second: Numbers) -> tuple[Numbers, int]:
    together = np.concatenate([first, second])
    return -distances(together, together), len(first)


def _mmd(matrix: Numbers, count: int) -> float:
    """Of a kernel matrix of N + M vectors, the first ``count`` of which are one side."""
    rest = len(matrix) - count
    one, other = matrix[:count, :count], matrix[count:, count:]
    within = (one.sum() - np.trace(one)) / (count * (count - 1))
    beside = (other.sum() - np.trace(other)) / (rest * (rest - 1))
    return float(within + beside - 2 * matrix[:count, count:].mean())


def _unit(vectors: Numbers) -> Numbers:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
