"""PhotoGuard's encoder attack (Salman et al. 2023): the iterative protection to compare with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient
from fixative.errors import SettingError
from fixative.images import LEVELS
from fixative.protections.base import Proposal, Protection
from fixative.protections.descent import descend, falling_sizes


class PhotoGuard(Protection):
    """Projected gradient descent on ‖E(x + δ) − z_y‖² with signed steps that shrink linearly.

    Args:
        codec: the encoder to attack, with gradients.
        target_latents: (B or 1, C, h or 1, w or 1), z_y at the pictures' size.
        strength: budget in 1/255.
        steps: number of steps; published: 200 to 1000.
        step_size: of the first step, in 1/255; it falls to a tenth.
        on_step: called after each step; may raise to stop.
    """

    name = "photoguard"

    def __init__(
        self,
        codec: Codec,
        target_latents: Tensor,
        *,
        strength: float = 8.0,
        steps: int = 200,
        step_size: float = 2.0,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(strength=strength)
        if steps < 1:
            raise SettingError(f"steps: expected at least 1, got {steps}")
        self._gradient, self._target = LatentGradient(codec), target_latents
        self._sizes = falling_sizes(step_size / LEVELS, steps)
        self._on_step = on_step

    def _propose(self, images: Tensor) -> Proposal:
        def slope(change: Tensor) -> tuple[Tensor, Tensor]:
            found = self._gradient(images + change, self._target)
            if self._on_step is not None:
                self._on_step()
            return found

        bound = torch.full_like(images[:1, :1, :1, :1], self.epsilon)
        start = torch.zeros_like(images)
        *_, last = descend(images, start, slope, bound=bound, sizes=self._sizes)
        return Proposal(last.change)
