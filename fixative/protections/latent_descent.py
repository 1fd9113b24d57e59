"""Signed descent on a latent distance: what PhotoGuard and Mist's texture mode have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient
from fixative.errors import SettingError
from fixative.protections.descent import descend
from fixative.protections.goals import Goal
from fixative.protections.iterative import IterativeProtection, OnAttackStep
from fixative.registry import Parameter

MOST_CONSISTENCY = 1000.0
#: β that IMPRESS's adaptive protections add against the purifier.
ADAPTIVE = 30.0
CONSISTENCY = Parameter(
    "consistency", 0.0, 0.0, MOST_CONSISTENCY, f"IMPRESS's adaptive term; {ADAPTIVE:g} as published"
)


class LatentDescent(IterativeProtection):
    """min over δ of mean (E(x + δ) − z)² + β · mean (D(E(x + δ)) − (x + δ))²,  |δ| ≤ ε.

    The second term is that of IMPRESS's adaptive protections (Cao et al. 2023), on [−1, 1]: a
    picture that agrees with its own reconstruction leaves the purifier nothing to do. Against
    which scale of latents β was meant is not published: here means, and latents of unit variance.

    Args:
        codec: with gradients, and a decoder if β is not 0.
        goal: z for a picture, or (B or 1, C, h or 1, w or 1) for all.
        strength: budget in 1/255.
        sizes: of each step, on [0, 1].
        consistency: β, 0 to 1000; 0 leaves the term out.
        on_step: told of each step; may raise, to stop.

    Raises:
        SettingError: a number outside its range.
    """

    def __init__(
        self,
        codec: Codec,
        goal: Goal | Tensor,
        *,
        strength: float,
        sizes: Sequence[float],
        consistency: float = 0.0,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(strength=strength, steps=len(sizes), on_step=on_step)
        if not 0 <= consistency <= MOST_CONSISTENCY:
            raise SettingError(
                f"consistency: expected 0 to {MOST_CONSISTENCY:g}, got {consistency}"
            )
        self._gradient = LatentGradient(codec, consistency=consistency)
        self._goal, self._sizes = goal, list(sizes)

    def _attack(self, number: int, image: Tensor) -> Tensor:
        goal = self._goal_of(number, image)
        done = 0

        def slope(change: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal done
            latents, gradient = self._gradient(image + change, goal)
            done += 1
            self._tell(number, done, self._losses(latents, goal))
            return latents, gradient

        bound = torch.full_like(image[:, :1, :1, :1], self.epsilon)
        start = torch.zeros_like(image)
        *_, last = descend(image, start, slope, bound=bound, sizes=self._sizes)
        return last.change

    def _goal_of(self, number: int, image: Tensor) -> Tensor:
        if not isinstance(self._goal, Tensor):
            return self._goal(image)
        return self._goal[number if len(self._goal) > 1 else 0][None]

    def _losses(self, latents: Tensor, goal: Tensor) -> dict[str, float]:
        losses = {"distance": (latents - goal.to(latents)).square().mean().item()}
        if self._gradient.inconsistency is not None:
            losses["inconsistency"] = self._gradient.inconsistency
        return losses
