"""Drawing pictures: DDIM (Song et al. 2021) with classifier-free guidance, from any level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from fixative.mimicry.denoiser import Condition, Denoiser, joined

#: Told of (step, steps, the clean latents as they are seen now); may raise, to stop.
OnSample = Callable[[int, int, Tensor], None]


@dataclass(frozen=True)
class SampleSettings:
    """How pictures are drawn.

    Attributes:
        steps: of the sampler.
        guidance: scale of classifier-free guidance; 1 leaves it out.
    """

    steps: int = 20
    guidance: float = 3.0


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    noise: Tensor,
    condition: Condition,
    empty: Condition,
    settings: SampleSettings = SampleSettings(),
    *,
    start: Tensor | None = None,
    level: float = 1.0,
    on_step: OnSample | None = None,
) -> Tensor:
    """Draw latents; deterministic for the same noise.

    Args:
        denoiser: the model, with or without a LoRA on it.
        noise: (B, C, h, w) standard normal.
        condition: of B captions.
        empty: of B empty captions.
        settings: steps and guidance.
        start: latents to begin from, as img2img does; None: from noise alone.
        level: time in (0, 1] to begin at.
        on_step: told of each step.

    Returns:
        (B, C, h, w) float32.
    """
    times = torch.linspace(level, 0, settings.steps + 1).tolist()
    begin = torch.full((len(noise),), level)
    clean = torch.zeros_like(noise) if start is None else start
    noisy = denoiser.noised(clean, noise, begin)
    for number, (now, then) in enumerate(pairwise(times)):
        clean = guided(denoiser, noisy, now, condition, empty, settings.guidance)
        if on_step is not None:
            on_step(number + 1, settings.steps, clean)
        if then > 0:
            noisy = _moved(denoiser, noisy, clean, now, then)
    return clean


def guided(
    denoiser: Denoiser,
    noisy: Tensor,
    time: float,
    condition: Condition,
    empty: Condition,
    guidance: float,
) -> Tensor:
    """The clean latents (B, C, h, w) seen at one time under classifier-free guidance."""
    times = torch.full((len(noisy),), time)
    if guidance == 1:
        return denoiser.denoised(noisy, times, condition)
    both = joined(condition, empty)
    found = denoiser.denoised(torch.cat([noisy] * 2), torch.cat([times] * 2), both)
    wanted, plain = found.chunk(2)
    return plain + guidance * (wanted - plain)


def _moved(denoiser: Denoiser, noisy: Tensor, clean: Tensor, now: float, then: float) -> Tensor:
    """The same noise at another time."""
    signal, noise = (float(each) for each in denoiser.scales(torch.tensor([now])))
    left = (noisy - signal * clean) / noise
    return denoiser.noised(clean, left, torch.full((len(noisy),), then))
