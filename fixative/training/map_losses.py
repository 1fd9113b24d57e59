"""How far a strength map, or guessed features, are from the teacher's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def map_error(got: Tensor, wanted: Tensor) -> Tensor:
    """How far maps are off, averaged over the maps: shape first, then scale.

    1 − correlation is what is aimed at; log(1 + squared error / spread) and the squared logarithm
    of the ratio of the means keep the scale, without letting a badly scaled map rule the step.
    """
    mean, wanted_mean = got.mean((1, 2, 3)), wanted.mean((1, 2, 3))
    spread = wanted.var((1, 2, 3)) + 0.05 * wanted_mean.square() + 1e-6
    error = torch.log1p((got - wanted).square().mean((1, 2, 3)) / spread)
    ratio = ((mean + 1e-4) / (wanted_mean + 1e-4)).log().square()
    a, b = got - mean[:, None, None, None], wanted - wanted_mean[:, None, None, None]
    correlation = F.cosine_similarity(a.flatten(1), b.flatten(1), eps=1e-6)
    return (1 - correlation + 0.5 * error + 0.1 * ratio).mean()


def relative_error(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean over pictures of squared error / squared length (1 = nothing was guessed)."""
    length = wanted.square().mean((1, 2, 3)) + 1e-8
    return ((got - wanted).square().mean((1, 2, 3)) / length).mean()
