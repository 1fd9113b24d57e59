"""SDS(−) (Xue et al., ICLR 2024, arXiv 2311.12832): score distillation instead of a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.mimicry.space import windows
from fixative.protections.denoising import DenoiserDescent, Draw, Losses, denoiser_method


class ScoreDistillation(DenoiserDescent):
    """x ← x − 1/255 · sign (∂E/∂x)ᵀ (ε̂ − ε): the denoiser's own Jacobian is left out.

    Descends on the denoising loss, where AdvDM ascends: the authors found that a picture which
    denoises too easily protects as well, is blurred rather than patterned, and that half of the
    time and memory suffice. The denoiser needs no gradients. Published at ε = 16/255 with 100
    steps. Arguments and errors as ``DenoiserDescent``.
    """

    name = "sds"

    @torch.no_grad()
    def _slope(self, latents: Tensor, drawn: Draw, image: Tensor) -> tuple[Losses, Tensor]:
        del image
        slope, counts = torch.zeros_like(latents), torch.zeros_like(latents)
        for part in windows(latents, side=self._side, stride=self._side):
            slope[(..., *part)] += self._error(
                latents[(..., *part)], drawn.noise[(..., *part)], drawn.time
            )
            counts[(..., *part)] += 1
        slope /= counts
        return {"denoising": slope.square().mean().item()}, slope

    def _error(self, latents: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """ε̂ − ε of a window (1, C, h, w), which is (a/b) · (latents − those that are seen)."""
        there = latents.to(self._denoiser.device)
        noisy = self._denoiser.noised(there, noise.to(there), time)
        found = self._denoiser.denoised(noisy, time, self._condition)
        signal, level = self._denoiser.scales(time)
        return (signal / level * (there - found)).to(latents)


METHOD = denoiser_method(
    ScoreDistillation,
    "score distillation, SDS(−): descent on a denoiser's error, without its gradients",
)
