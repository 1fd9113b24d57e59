"""Denoisers that take no time: one of random weights, and one that is exactly right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fixative.mimicry.denoiser import Condition, Denoiser


class RoundDenoiser(Denoiser):
    """Keeps the variance by cosine and sine; for pictures of 64 × 64, in sd1's latents."""

    def __init__(self, network: nn.Module | None = None, *, family: str = "sd1") -> None:
        super().__init__(
            network or nn.Identity(), name="toy", family=family, latent_channels=4, resolution=64
        )

    def condition(self, captions: Sequence[str]) -> Condition:
        return {"words": torch.tensor([[float(len(caption))] for caption in captions])}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        angles = times * (math.pi / 2)
        return angles.cos(), angles.sin()


class ToyDenoiser(RoundDenoiser):
    """A curved network of random weights."""

    def __init__(self, *, seed: int = 0, family: str = "sd1") -> None:
        super().__init__(nn.Conv2d(4, 4, 3, padding=1), family=family)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 6)
        self.network.requires_grad_(False)

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        assert times.shape == (len(noisy),)
        words = condition["words"][:, :, None, None]
        return self.network(noisy + 0.1 * times[:, None, None, None]).tanh() + 0.01 * words


class GaussianDenoiser(RoundDenoiser):
    """The best there is for latents drawn from N(0, deviation²): their mean, given noisy ones."""

    def __init__(self, deviation: float = 1.0) -> None:
        super().__init__()
        self._variance = deviation**2

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        signal, noise = (each[:, None, None, None] for each in self.scales(times))
        kept = signal * self._variance
        return kept / (signal * kept + noise.square()) * noisy
