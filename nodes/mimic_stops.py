"""What LoRA Mimicry Test does when the user stops it: tell what there is, and run again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from .mimic_windows import CLEAN
from .mimicking import NO_LORA, Imitator, Studio, Wanted


def finished(
    studio: Studio, windows: Mapping[str, Tensor], stops: tuple[type[BaseException], ...]
) -> list[Imitator]:
    """All imitators, or those that were finished at a stop, where they are worth telling of.

    Args:
        studio: where they work.
        windows: (N, 3, R, R), by arm.
        stops: what a stop raises; raised again where there is too little to tell.
    """
    found: list[Imitator] = []
    try:
        for one in studio.imitators(windows):
            found.append(one)
    except stops:
        if not worth_telling(found):
            raise
    return found


def worth_telling(found: Sequence[Imitator]) -> bool:
    """Whether there is something to compare: the first repetition's clean LoRA, and another."""
    arms = {one.arm for one in found if one.number == 0 and one.arm != NO_LORA}
    return CLEAN in arms and len(arms) > 1


class Stops:
    """Runs that were stopped and told what they had.

    The host takes that for a finished result, and would show it for as long as the inputs are the
    same. A number that grows with each such run, and never falls back, makes it run again.
    """

    def __init__(self) -> None:
        self._runs: list[dict[str, Any]] = []

    def add(self, wanted: Wanted) -> None:
        """A run with these widgets was stopped."""
        self._runs.append(asdict(wanted))

    def count(self, inputs: Mapping[str, Any]) -> int:
        """How many there were with these inputs, as far as they are known: None is any."""
        known = {name: value for name, value in inputs.items() if value is not None}
        return sum(
            all(run[name] == known[name] for name in run.keys() & known.keys())
            for run in self._runs
        )
