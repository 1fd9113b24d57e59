"""Adaptive target: the target picture whose latent code is about as busy as this picture's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.errors import SettingError

AUTO = "auto"
#: The histogram: bins of 1/32 over ±4 standard deviations of a unit-variance latent space.
ENTROPY_BINS = 256
ENTROPY_RANGE = 4.0


@dataclass(frozen=True)
class TargetChoice:
    """Which target each picture aims at, and why.

    Attributes:
        index: (B,) index of the target.
        entropies: (B,) H(E(x)) in bits.
    """

    index: Tensor
    entropies: Tensor


def latent_entropy(latents: Tensor) -> Tensor:
    """Shannon entropy of each picture's latent values, in bits.

    FastProtect does not publish its estimator; this is a histogram of all latent values with
    fixed bins, so that pictures are comparable. Values beyond the range fall into the end bins.

    Args:
        latents: (B, C, h, w), about unit variance.

    Returns:
        (B,) float32 between 0 and log2(256) = 8.
    """
    scaled = (latents.flatten(1).float() / ENTROPY_RANGE + 1) / 2 * ENTROPY_BINS
    bins = scaled.long().clamp(0, ENTROPY_BINS - 1)
    counts = torch.zeros(len(bins), ENTROPY_BINS, device=latents.device)
    counts.scatter_add_(1, bins, torch.ones_like(scaled))
    shares = counts / counts.sum(1, keepdim=True)
    return -torch.special.xlogy(shares, shares).sum(1) / torch.log(torch.tensor(2.0))


def choose_target(
    latents: Tensor, target_entropies: Tensor, target_names: tuple[str, ...], *, target: str = AUTO
) -> TargetChoice:
    """t = argmin_i |H(E(x)) − H(z_y,i)|, or the target asked for (FastProtect, adaptive target).

    Args:
        latents: (B, C, h, w) of the 512 copies.
        target_entropies: (T,) in bits.
        target_names: T names.
        target: ``auto`` or one of the names.

    Raises:
        SettingError: no such target.
    """
    entropies = latent_entropy(latents)
    if target == AUTO:
        gaps = (entropies[:, None] - target_entropies.to(entropies.device)[None]).abs()
        return TargetChoice(gaps.argmin(1), entropies)
    if target not in target_names:
        names = ", ".join((AUTO, *target_names))
        raise SettingError(f"target: expected one of {names}; got {target!r}")
    index = torch.full((len(latents),), target_names.index(target), device=latents.device)
    return TargetChoice(index, entropies)
