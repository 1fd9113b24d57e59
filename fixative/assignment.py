"""Assignment: which group of pictures does this one belong to? (FastProtect, A(E(x)))"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Assignment:
    """The nearest centroid of each picture, and how far every one is.

    Attributes:
        group: (B,) index of the nearest centroid.
        distances: (B, K) root mean square distance to each centroid, in latent units.
    """

    group: Tensor
    distances: Tensor


def assign(latents: Tensor, centroids: Tensor) -> Assignment:
    """Assign pictures to the nearest centroid of their flattened latents.

    Args:
        latents: (B, C, h, w) of the 512 copies.
        centroids: (K, C, h, w).
    """
    points, centres = latents.flatten(1).double(), centroids.to(latents.device).flatten(1).double()
    # One subtraction a pair, not the expanded square: a batch then equals its singles.
    squares = [(points - centre).square().mean(1) for centre in centres]
    distances = torch.stack(squares, 1).sqrt()
    return Assignment(distances.argmin(1), distances.float())
