"""What a training at scale adds to a recipe, the same for every network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fixative.training.distributed import ALONE, Team


@dataclass(frozen=True)
class Scale:
    """How large a training is; as it stands, a plain one on one process.

    Attributes:
        team: the processes that share every step's batch.
        average: how much of the weights' moving average a step keeps, 0 to below 1; 0: no average.
        times: a step takes so many times the recipe's batch.
    """

    team: Team = ALONE
    average: float = 0.0
    times: int = 1

    def facts(self) -> dict[str, Any]:
        """What the recipe in the weights' file must tell of it: nothing of a plain training."""
        averaged = {"average": self.average} if self.average else {}
        enlarged = {"times": self.times} if self.times > 1 else {}
        return {**self.team.facts(), **averaged, **enlarged}


PLAIN = Scale()
