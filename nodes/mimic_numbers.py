"""From what imitators drew in a graph to the engine's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from fixative.mimicry.aggregate import Aggregator, SetNumbers, Unit
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.measures import Numbers, Scale
from fixative.mimicry.results import ArmResult
from fixative.mimicry.settings import MimicrySettings

from .mimic_windows import CLEAN, PROTECTED, PURIFIED
from .mimicking import NO_LORA, SET, Imitator

#: The graph's batches as the engine's arms; the names are equal.
ARMS = {
    NO_LORA: Arm(Role.NONE),
    CLEAN: Arm(Role.CLEAN),
    PROTECTED: Arm(Role.PROTECTED, PROTECTED),
    PURIFIED: Arm(Role.PURIFIED, PURIFIED),
}


def results_of(
    found: Sequence[Imitator], originals: Mapping[str, Tensor], settings: MimicrySettings
) -> list[ArmResult]:
    """Every arm's numbers, as ``fixative mimic`` has them.

    Args:
        found: the imitators.
        originals: (N, D) features of the clean windows, by space.
        settings: of the run.
    """
    there = {one.arm for one in found}
    arms = tuple(arm for name, arm in ARMS.items() if name in there)
    aggregator = Aggregator([_numbers(found, originals)], replace(settings, arms=arms))
    return list(aggregator.results())


def _numbers(found: Sequence[Imitator], originals: Mapping[str, Tensor]) -> SetNumbers:
    """Measured from the mean of the originals and of what the model draws by itself."""
    plain = [one.drawn.vectors for one in found if one.arm == NO_LORA]
    own = {space: _array(vectors) for space, vectors in originals.items()}
    scales = {
        space: Scale.of(np.concatenate([mine, *(_array(each[space]) for each in plain)]))
        for space, mine in own.items()
    }
    units = {(one.arm, one.number): _unit(one, scales) for one in found}
    return SetNumbers(SET, {space: scales[space].apply(own[space]) for space in own}, units)


def _unit(one: Imitator, scales: Mapping[str, Scale]) -> Unit:
    vectors, near = one.drawn.vectors, one.drawn.distances
    last = one.drawn.losses[-max(1, len(one.drawn.losses) // 10) :]
    return Unit(
        {space: scale.apply(_array(vectors[space])) for space, scale in scales.items()},
        None if near is None else _array(near).min(1),
        sum(last) / len(last) if last else None,
    )


def _array(vectors: Tensor) -> Numbers:
    return vectors.double().numpy()
