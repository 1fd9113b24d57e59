"""Learn what a tool's pictures share: cluster the differences, average each cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fixative.countermeasures.averaging import SIDE, SharedPerturbations, quantised
from fixative.errors import SettingError
from fixative.images import resize
from fixative.provenance import provenance
from fixative.training.pairs import Pair, digest

#: Differences that correlate more belong to one perturbation.
LIKENESS = 0.7
#: Of fewer pairs nothing is known to be shared.
LEAST_PAIRS = 2


def learn_shared(
    pairs: Sequence[Pair],
    *,
    likeness: float = LIKENESS,
    on_pair: Callable[[int, int], None] | None = None,
) -> SharedPerturbations:
    """The perturbations that two or more pairs share.

    The differences, stretched to 512 × 512, join the cluster whose mean they correlate with most,
    or begin one (leader clustering); then all are sorted once more by the clusters' means.

    Args:
        pairs: of one tool; sizes and strengths may differ.
        likeness: correlation from which on differences belong together, 0 to 1.
        on_pair: called with (done, all); may raise, to stop.

    Returns:
        The largest cluster first; none where all differences differ.

    Raises:
        SettingError: likeness outside its range.
    """
    if not 0 < likeness < 1:
        raise SettingError(f"likeness: expected above 0 and below 1, got {likeness:g}")
    differences: list[Tensor] = []
    strengths: list[float] = []
    for number, pair in enumerate(pairs):
        difference = _difference(pair)
        strengths.append(difference.square().mean().sqrt().item())
        differences.append((difference / max(strengths[-1], 1e-9)).half())
        if on_pair is not None:
            on_pair(number + 1, len(pairs))
    members = _clusters(differences, strengths, likeness)
    means = [_mean(differences, numbers) * _median(strengths, numbers) for numbers in members]
    recipe = {
        "kind": "shared perturbations",
        "pairs": len(pairs),
        "pairs_sha256": digest(pairs),
        "likeness": likeness,
        **provenance(),
    }
    stacked = torch.stack(means) if means else torch.zeros(0, 3, SIDE, SIDE)
    return quantised(stacked, torch.tensor([len(m) for m in members], dtype=torch.int64), recipe)


def _difference(pair: Pair) -> Tensor:
    """(3, 512, 512) on [0, 1]."""
    clean, protected = pair.images()
    return resize(protected - clean, SIDE, SIDE)[0]


def _clusters(
    differences: Sequence[Tensor], strengths: Sequence[float], likeness: float
) -> list[list[int]]:
    """Numbers of the differences of each perturbation, the most shared first."""
    changed = [number for number, strength in enumerate(strengths) if strength > 0]
    sums: list[Tensor] = []
    for number in changed:
        difference = differences[number].float()
        nearest, correlation = _nearest(difference, sums)
        if correlation < likeness:
            sums.append(difference.clone())
        else:
            sums[nearest] += difference
    members: list[list[int]] = [[] for _ in sums]
    for number in changed:
        nearest, correlation = _nearest(differences[number].float(), sums)
        if correlation >= likeness:
            members[nearest].append(number)
    shared = [numbers for numbers in members if len(numbers) >= LEAST_PAIRS]
    return sorted(shared, key=len, reverse=True)


def _nearest(difference: Tensor, sums: Sequence[Tensor]) -> tuple[int, float]:
    """The cluster with the highest correlation, and that; −1 where there is no cluster."""
    found = [
        torch.nn.functional.cosine_similarity(difference.flatten(), total.flatten(), 0).item()
        for total in sums
    ]
    best = max(range(len(found)), key=found.__getitem__, default=0)
    return best, found[best] if found else -1.0


def _mean(differences: Sequence[Tensor], numbers: Sequence[int]) -> Tensor:
    total = torch.zeros(3, SIDE, SIDE)
    for number in numbers:
        total += differences[number].float()
    return total / len(numbers)


def _median(strengths: Sequence[float], numbers: Sequence[int]) -> float:
    return torch.tensor([strengths[number] for number in numbers]).median().item()
