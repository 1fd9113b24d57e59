"""The three target pictures of low, mid and high pattern repetition, drawn by code.

A universal perturbation works best towards a target far from every picture, so that the way
there is nearly the same from all of them: hence saturated colours. The repeats cannot be larger:
a checkerboard of period 256 was reached half as well as one of 128 (pull 0.15 against 0.30 with
one universal perturbation), because a small change cannot fake a large flat area. The latent
entropies (about 6.2, 6.8 and 7.0 bits in SD 1's space) split the usual range of pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.mixture import SIDE

#: Side of one repeat in pixels: 4 stripes, 4 × 4 squares, 8 × 8 discs.
PERIODS = {"low": 128, "mid": 128, "high": 64}


def draw_targets() -> Tensor:
    """The target pictures in the order of ``PERIODS``, (3, 3, 512, 512) in [0, 1]."""
    low, mid, high = PERIODS.values()
    return torch.stack([draw_stripes(low), draw_checker(mid), draw_discs(high)])


def draw_stripes(period: int) -> Tensor:
    """Magenta and green upright stripes, (3, 512, 512); ``period`` is two stripes, in pixels."""
    cell = torch.arange(SIDE) // (period // 2)
    magenta = (cell % 2).float().expand(SIDE, SIDE)
    return torch.stack([magenta, 1 - magenta, magenta])


def draw_checker(period: int) -> Tensor:
    """A magenta and green checkerboard, (3, 512, 512); ``period`` is two squares, in pixels."""
    cell = torch.arange(SIDE) // (period // 2)
    magenta = ((cell[:, None] + cell[None, :]) % 2).float()
    return torch.stack([magenta, 1 - magenta, magenta])


def draw_discs(period: int) -> Tensor:
    """Quartered squares with a cyan disc in the middle, (3, 512, 512); one a period."""
    place = (torch.arange(SIDE) % period) / period - 0.5
    disc = (place[:, None] ** 2 + place[None, :] ** 2 < 0.25**2).float()
    below = (place[:, None] > 0).float().expand(SIDE, SIDE)
    right = (place[None, :] > 0).float().expand(SIDE, SIDE)
    red = (1 - disc) * below
    green = disc + (1 - disc) * right
    blue = disc + (1 - disc) * 0.5 * (1 - below)
    return torch.stack([red, green, blue])
