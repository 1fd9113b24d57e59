"""The three target pictures of low, mid and high pattern repetition, drawn by code.

A universal perturbation works best towards a target far from every picture, so that the way
there is nearly the same from all of them: hence saturated colours. The motifs are small, because
a small change cannot fake a large flat area: one universal perturbation reached a checkerboard of
period 32 with a pull of 0.43, of 128 with 0.30, of 256 with 0.15. Large motifs also show as bands
of colour in smooth places.

With these motifs the entropy of the latents falls as the repetition rises (about 6.9, 6.5 and
6.1 bits in SD 1's space), so that busy pictures go to ``low`` and plain ones to ``high``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.mixture import SIDE

#: Side of one repeat in pixels (the checkerboard also repeats half-way along the diagonal).
PERIODS = {"low": 64, "mid": 32, "high": 32}
#: Side of a coloured square of the ``low`` target, and the seed of its colours.
SQUARE, COLOUR_SEED = 16, 1


def draw_targets() -> Tensor:
    """The target pictures in the order of ``PERIODS``, (3, 3, 512, 512) in [0, 1]."""
    low, mid, high = PERIODS.values()
    return torch.stack([draw_mosaic(low), draw_discs(mid), draw_checker(high)])


def draw_mosaic(period: int) -> Tensor:
    """Squares in the eight corners of the colour cube, drawn by lot, (3, 512, 512)."""
    generator = torch.Generator().manual_seed(COLOUR_SEED)
    count = period // SQUARE
    colours = torch.randint(0, 2, (3, count, count), generator=generator).float()
    motif = colours.repeat_interleave(SQUARE, 1).repeat_interleave(SQUARE, 2)
    return motif.repeat(1, SIDE // period, SIDE // period)


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


def draw_checker(period: int) -> Tensor:
    """A magenta and green checkerboard, (3, 512, 512); ``period`` is two squares, in pixels."""
    cell = torch.arange(SIDE) // (period // 2)
    magenta = ((cell[:, None] + cell[None, :]) % 2).float()
    return torch.stack([magenta, 1 - magenta, magenta])
