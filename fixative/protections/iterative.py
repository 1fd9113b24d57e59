"""What the iterative protections share: pictures one by one, each step told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.errors import SettingError
from fixative.images import LEVELS
from fixative.protections.base import Proposal, Protection

MOST_STEPS = 5000


@dataclass(frozen=True)
class AttackStep:
    """Where an iterative protection is.

    Attributes:
        picture: number of the picture, from 0.
        step: steps done on it.
        steps: of how many.
        losses: what is minimised, by name, before this step.
    """

    picture: int
    step: int
    steps: int
    losses: dict[str, float]


#: Told of each step; may raise, to stop.
OnAttackStep = Callable[[AttackStep], None]


class IterativeProtection(Protection):
    """Pictures go one by one, so that a batch equals its singles and memory stays small.

    Args:
        strength: budget in 1/255; under 1 no change survives the rounding, and no step is made.
        steps: number of steps, 1 to 5000.
        on_step: told of each step; may raise, to stop.

    Raises:
        SettingError: a number outside its range.
    """

    def __init__(self, *, strength: float, steps: int, on_step: OnAttackStep | None = None) -> None:
        super().__init__(strength=strength)
        if not 1 <= steps <= MOST_STEPS:
            raise SettingError(f"steps: expected 1 to {MOST_STEPS}, got {steps}")
        self.steps, self._on_step = steps, on_step

    def _propose(self, images: Tensor) -> Proposal:
        if self.epsilon * LEVELS < 1:
            return Proposal(torch.zeros_like(images))
        pieces = [self._attack(number, image) for number, image in enumerate(images.split(1))]
        return Proposal(torch.cat(pieces))

    @abstractmethod
    def _attack(self, number: int, image: Tensor) -> Tensor:
        """The change (1, 3, H, W) of picture ``number``, (1, 3, H, W)."""

    def _tell(self, number: int, step: int, losses: dict[str, float]) -> None:
        if self._on_step is not None:
            self._on_step(AttackStep(number, step, self.steps, losses))
