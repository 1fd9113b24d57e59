"""A Glaze-like protection, as IMPRESS's authors rebuilt it: latent target, perceptual budget."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient
from fixative.perceptual.distance import PerceptualDistance
from fixative.protections.base import Protection
from fixative.protections.descent import descend_by_adam
from fixative.protections.goals import repeated
from fixative.protections.iterative import MOST_STEPS, IterativeProtection, OnAttackStep
from fixative.protections.method import Method, Request
from fixative.protections.style import draw_strokes, transfer_style
from fixative.registry import Parameter

#: The published 0.01 on [−1, 1].
RATE = 0.005
#: LPIPS that costs nothing, and the weight of what is above.
PERCEPTUAL_BUDGET, PERCEPTUAL_WEIGHT = 0.05, 30.0


class GlazeLike(IterativeProtection):
    """min over δ of mean (E(x + δ) − E(styled x))² + 30 · max(LPIPS(x + δ, x) − 0.05, 0), by Adam.

    IMPRESS's re-implementation of Glaze (Shan et al. 2023; Cao et al. 2023), with two deviations.
    The original has no L-infinity bound; here the budget holds at each step, as everywhere.
    And no style-transfer network is there: the style target is a classical stand-in
    (``transfer_style``), so this is Glaze's mechanism, not Glaze's strength.

    Args:
        codec: with gradients.
        distance: LPIPS, or what stands in for it.
        strength: budget in 1/255.
        steps: of Adam; published: 500.
        style: (3, h, w) in [0, 1], whose colours and strokes; None: drawn strokes.
        on_step: told of each step; may raise to stop.

    Raises:
        SettingError: a number outside its range.
    """

    name = "glaze"

    def __init__(
        self,
        codec: Codec,
        distance: PerceptualDistance,
        *,
        strength: float = 8.0,
        steps: int = 500,
        style: Tensor | None = None,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(strength=strength, steps=steps, on_step=on_step)
        self._gradient, self._distance = LatentGradient(codec), distance
        self._style = draw_strokes() if style is None else style

    def _attack(self, number: int, image: Tensor) -> Tensor:
        goal = self.goal_of(image)
        done = 0

        def slope(change: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal done
            latents, gradient = self._gradient(image + change, goal)
            seen, steepness = perceptual_hinge(self._distance, image + change, image)
            done += 1
            distance = (latents - goal).square().mean().item()
            self._tell(number, done, {"distance": distance, "visible": seen})
            return latents, gradient / latents.numel() + steepness

        bound = torch.full_like(image[:, :1, :1, :1], self.epsilon)
        start = torch.zeros_like(image)
        *_, last = descend_by_adam(image, start, slope, bound=bound, rate=RATE, steps=self.steps)
        return last.change

    def goal_of(self, image: Tensor) -> Tensor:
        """E(styled x) of a picture (1, 3, H, W), which the descent steers to; (1, C, h, w)."""
        style = repeated(self._style, *image.shape[-2:])[None].to(image)
        return self._gradient.encode(transfer_style(image, style))


def perceptual_hinge(
    distance: PerceptualDistance, changed: Tensor, original: Tensor
) -> tuple[float, Tensor]:
    """The distance of (1, 3, H, W) pictures, and ∇ of 30 · max(distance − 0.05, 0) by the first.

    Also inside ``inference_mode``.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = changed.detach().clone().requires_grad_(True)
        seen = distance(x, original.detach().clone()).sum()
        if seen.item() <= PERCEPTUAL_BUDGET:
            return seen.item(), torch.zeros_like(changed)
        (gradient,) = torch.autograd.grad(PERCEPTUAL_WEIGHT * seen, x)
    return seen.item(), gradient


def _make(request: Request) -> Protection:
    return GlazeLike(
        request.codec,
        request.distance,
        strength=request.strength,
        steps=request.whole("steps"),
        on_step=request.on_step,
    )


METHOD = Method(
    GlazeLike.name,
    "Glaze-like: the latents of a repainted copy, within LPIPS 0.05 (stand-in style)",
    _make,
    (Parameter("steps", 500, 1, MOST_STEPS, "of Adam at 0.005"),),
    needs=("codec", "distance"),
)
