"""The three target pictures of low, mid and high pattern repetition, drawn by code.

A universal perturbation works best towards a target far from every picture, so that the way
there is nearly the same from all of them: hence saturated colours. Their latent entropies (about
6.5, 6.8 and 7.0 bits in SD 1's space) cut the usual range of pictures into three.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.mixture import SIDE

#: Side of one repeat in pixels: 2, 4 and 8 repeats a side.
PERIODS = {"low": 256, "mid": 128, "high": 64}


def draw_targets() -> Tensor:
    """The target pictures in the order of ``PERIODS``, (3, 3, 512, 512) in [0, 1]."""
    low, mid, high = PERIODS.values()
    return torch.stack([draw_checker(low), draw_checker(mid), draw_discs(high)])


def draw_checker(period: int) -> Tensor:
    """A magenta and green checkerboard, (3, 512, 512); ``period`` is two squares, in pixels."""
    cell = torch.arange(SIDE) // (period // 2)
    board = ((cell[:, None] + cell[None, :]) % 2).float()
    return torch.stack([board, 1 - board, board])


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
