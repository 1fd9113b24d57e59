"""AdvDM (Liang et al., ICML 2023, arXiv 2302.04578): what a denoiser fails to learn from."""

from __future__ import annotations

from torch import Tensor

from fixative.protections.denoising import DenoiserDescent, Draw, Losses, denoiser_method


class AdvDM(DenoiserDescent):
    """max over δ of E_{t, ε} ‖ε − ε̂(a E(x + δ) + b ε, t)‖², by one draw a step.

    The loss is the one that the denoiser was trained by. Published at ε = 16/255 and 8/255 with
    100 steps. Arguments and errors as ``DenoiserDescent``.
    """

    name = "advdm"

    def _slope(self, latents: Tensor, drawn: Draw, image: Tensor) -> tuple[Losses, Tensor]:
        del image
        loss, slope = self._denoising_loss(latents, drawn)
        return {"denoising": loss}, -slope


METHOD = denoiser_method(AdvDM, "ascent on a denoiser's training loss")
