"""PhotoGuard's encoder attack (Salman et al. 2023): the iterative protection to compare with."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.protections.base import Proposal, Protection


class PhotoGuard(Protection):
    """Projected gradient descent on ‖E(x + δ) − z_y‖² with signed steps that shrink linearly.

    Args:
        codec: the encoder to attack, with gradients.
        target_latents: (B or 1, C, h, w), z_y at the pictures' size.
        strength: budget in 1/255.
        steps: number of steps; published: 200 to 1000.
        step_size: of the first step, in 1/255; it falls to a tenth.
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
    ) -> None:
        super().__init__(strength=strength)
        if steps < 1:
            raise SettingError(f"steps: expected at least 1, got {steps}")
        self._codec, self._target = codec, target_latents
        self._steps, self._step_size = steps, step_size / 255

    def _propose(self, images: Tensor) -> Proposal:
        with torch.inference_mode(False), torch.enable_grad():
            pictures = images.clone()
            change = torch.zeros_like(pictures)
            for step in range(self._steps):
                size = self._step_size * (1 - 0.9 * step / self._steps)
                change = self._descend(pictures, change, size)
        return Proposal(change)

    def _descend(self, pictures: Tensor, change: Tensor, size: float) -> Tensor:
        change = change.detach().requires_grad_(True)
        latents = self._codec.encode(pictures + change)
        loss = (latents - self._target.to(latents)).square().sum()
        (gradient,) = torch.autograd.grad(loss, change)
        moved = (change.detach() - size * gradient.sign()).clamp(-self.epsilon, self.epsilon)
        return (pictures + moved).clamp(0, 1) - pictures
