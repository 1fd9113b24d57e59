"""From what imitators drew in a graph to the engine's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from fixative.mimicry.aggregate import Aggregator, scaled_set
from fixative.mimicry.arms import Arm, Role
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
    drawn = {(one.arm, one.number): one.drawn for one in found}
    told = {key: (one.vectors, one.distances, one.losses) for key, one in drawn.items()}
    numbers = scaled_set(SET, originals, told)
    return list(Aggregator([numbers], replace(settings, arms=arms)).results())
