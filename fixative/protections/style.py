"""A classical stand-in for style transfer: another picture's colours and texture statistics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fixative.images import resize
from fixative.mixture import SIDE

#: Halvings of the pyramid: details up to 16 pixels take the style's statistics.
LEVELS_OF_DETAIL = 4
#: Dark blue, blue, ochre, straw: the ends and middle of the drawn strokes' colours.
PALETTE = ((0.05, 0.10, 0.30), (0.20, 0.45, 0.70), (0.80, 0.55, 0.15), (0.98, 0.92, 0.60))


def transfer_style(images: Tensor, style: Tensor) -> Tensor:
    """Repaint pictures with another's colours and brush: no network, so no likeness to one's style.

    The colours' mean and covariance become the style's (as Reinhard et al. 2001, in one linear
    map); then, in each band of a Laplacian pyramid, the style's own detail is laid over the
    picture's and the sum brought to the style's deviation (as Heeger & Bergen 1995 match bands).

    Args:
        images: (B, 3, H, W) in [0, 1].
        style: (1, 3, H, W) in [0, 1].

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    painted = match_colours(images, style)
    own, rest = _bands(painted)
    strokes, _ = _bands(style)
    for band, stroke in zip(own, strokes, strict=True):
        both = band + stroke
        rest = rest + both * (_deviation(stroke) / _deviation(both).clamp_min(1e-6))
    return rest.clamp(0, 1)


def match_colours(images: Tensor, style: Tensor) -> Tensor:
    """Give each picture the style's mean colour and covariance of colours; not cut to [0, 1]."""
    flat = images.flatten(2).double()
    mean, root = _colour_moments(flat)
    goal, goal_root = _colour_moments(style.flatten(2).double())
    turned = goal_root @ torch.linalg.inv(root) @ (flat - mean) + goal
    return turned.reshape(images.shape).to(images)


def draw_strokes() -> Tensor:
    """A painterly picture of curved strokes, blue and ochre, (3, 512, 512), repeating."""
    place = torch.arange(SIDE) / SIDE * 2 * math.pi
    y, x = place[:, None], place[None, :]
    bent = y + 0.25 * torch.sin(2 * x + y) + 0.15 * torch.sin(3 * x - 2 * y)
    strokes = torch.sin(20 * bent + 2 * torch.sin(5 * x))
    field = 0.5 + 0.3 * torch.sin(x + 2 * torch.sin(y)) + 0.2 * strokes
    shade = field.clamp(0, 1) * (len(PALETTE) - 1)
    below = shade.floor().clamp(max=len(PALETTE) - 2).long()
    colours = torch.tensor(PALETTE)
    mixed = torch.lerp(colours[below], colours[below + 1], (shade - below)[..., None])
    return mixed.permute(2, 0, 1).contiguous()


def _bands(images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Details from fine to coarse at full size, and what is left."""
    height, width = images.shape[-2:]
    found: list[Tensor] = []
    for level in range(1, LEVELS_OF_DETAIL + 1):
        small = resize(images, max(1, height >> level), max(1, width >> level))
        coarse = resize(small, height, width)
        found.append(images - coarse)
        images = coarse
    return found, images


def _deviation(band: Tensor) -> Tensor:
    return band.square().mean((-2, -1), keepdim=True).sqrt()


def _colour_moments(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 3, 1) and symmetric root of the covariance (B, 3, 3) of (B, 3, N) colours."""
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.transpose(1, 2) / flat.shape[2]
    values, vectors = torch.linalg.eigh(covariance)
    roots = values.clamp_min(1e-6).sqrt()
    return mean, vectors @ torch.diag_embed(roots) @ vectors.transpose(1, 2)
