"""The reverse process with its noise: DDPM's ancestral sampling, for any signal and noise.

Kingma et al. 2021, "Variational diffusion models", equations 28 to 32; for a denoiser that keeps
the variance it is that of Ho et al. 2020.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.sampling import OnSample


def draw(shape: tuple[int, ...] | torch.Size, generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal noise, the same on every device; where ``like`` is."""
    return torch.randn(shape, generator=generator).to(like)


@torch.no_grad()
def noise_and_denoise(
    denoiser: Denoiser,
    latents: Tensor,
    condition: Condition,
    *,
    level: float,
    steps: int,
    generator: torch.Generator,
    on_step: OnSample | None = None,
) -> Tensor:
    """Bring latents to a noise level and step by step, with fresh noise, back again.

    Args:
        denoiser: what denoises.
        latents: (B, C, h, w).
        condition: of B captions.
        level: time in (0, 1) to begin at.
        steps: of equal length, 1 or more; the last one takes what the denoiser sees.
        generator: of all noise, on the CPU.
        on_step: told of each step; may raise, to stop.

    Returns:
        (B, C, h, w) float32 on the denoiser's device.
    """
    latents = latents.to(denoiser.device)
    count = len(latents)
    times = torch.linspace(level, 0, steps + 1).tolist()
    noise = draw(latents.shape, generator, latents)
    noisy = denoiser.noised(latents, noise, torch.full((count,), level))
    clean = latents
    for number, (now, then) in enumerate(pairwise(times), start=1):
        clean = denoiser.denoised(noisy, torch.full((count,), now), condition)
        if on_step is not None:
            on_step(number, steps, clean)
        if then > 0:
            noisy = stepped(denoiser, noisy, clean, now=now, then=then, generator=generator)
    return clean


def stepped(
    denoiser: Denoiser,
    noisy: Tensor,
    clean: Tensor,
    *,
    now: float,
    then: float,
    generator: torch.Generator,
) -> Tensor:
    """A draw of the noisy latents at an earlier time, given those now and the clean ones."""
    (a, signal), (b, noise) = (
        pair.tolist() for pair in denoiser.scales(torch.tensor([now, then], dtype=torch.float32))
    )
    kept = a / signal
    added = max(0.0, b**2 - (kept * noise) ** 2)
    mean = (kept * noise**2 / b**2) * noisy + (signal * added / b**2) * clean
    spread = (added * noise**2 / b**2) ** 0.5
    return mean + spread * draw(noisy.shape, generator, noisy)
