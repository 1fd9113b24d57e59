"""Mist's mode 2, "fused" (Liang & Wu 2023, arXiv 2305.12683): texture and denoising loss."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from fixative.protections.denoising import DenoiserDescent, Draw, Losses, denoiser_method
from fixative.protections.goals import PatternGoal, mist_pattern

#: What the denoising loss, a mean, counts beside the texture's sum of squares …
RATE = 1e4
#: … over the latents of a picture of 512 × 512, which Mist brings every picture to.
PUBLISHED_VALUES = 4 * 64 * 64


class MistFused(DenoiserDescent):
    """min over δ of Σ (E(x + δ) − E(pattern))² − 10⁴ · E_{t, ε} mean (ε − ε̂)².

    Published at ε = 16/255 with 100 steps. The sum grows with the picture, the mean does not; so
    that the balance is the published one at every size, the sum is taken per 16 384 values, which
    a picture of 512 × 512 has. The pattern is ``mist_pattern``, not Mist's own picture. Arguments
    and errors as ``DenoiserDescent``.
    """

    name = "mist-fused"

    def _slope(self, latents: Tensor, drawn: Draw, image: Tensor) -> tuple[Losses, Tensor]:
        loss, slope = self._denoising_loss(latents, drawn)
        away = latents - self._pattern(image).to(latents)
        texture = 2 * PUBLISHED_VALUES / latents.numel() * away
        told = {"distance": away.square().mean().item(), "denoising": loss}
        return told, texture - RATE * slope

    @cached_property
    def _pattern(self) -> PatternGoal:
        return PatternGoal(self._codec, mist_pattern())


METHOD = denoiser_method(
    MistFused,
    "Mist's texture and ascent on a denoiser's loss at once (mode 2, fused)",
)
