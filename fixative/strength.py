"""Adaptive strength: press where the eye does not see it (FastProtect, S(1 − M))."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 10
#: The least visible bins, and how much stronger they are pressed.
STRONG_BINS, GAIN = 3, 1.3
#: Keeps the mean factor near 1: 0.91 · (0.7 + 0.3 · 1.3) = 0.992.
SCALE = 0.91


def adaptive_strength(visibility: Tensor) -> Tensor:
    """Turn a visibility map into factors on the perturbation.

    Each picture's map is cut into ten quantile bins; the three least visible get 0.91 · 1.3, the
    others 0.91. Equal values share a bin (the more visible one), so a constant map gives a
    constant factor.

    Args:
        visibility: (B, 1, h, w) non-negative, larger = the change is seen more.

    Returns:
        (B, 1, h, w) float32, 0.91 or 1.183. The budget is enforced afterwards: where the
        perturbation already uses all of it, a factor above 1 is cut back.
    """
    flat = visibility.flatten(1).float()
    limit = flat.kthvalue(max(1, flat.shape[1] * STRONG_BINS // BINS), dim=1, keepdim=True).values
    strong = flat < limit
    factors = torch.where(strong, SCALE * GAIN, SCALE)
    return factors.reshape(visibility.shape)
