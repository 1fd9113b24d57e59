"""Checks and small operations on images in the engine's form: (B, 3, H, W) float32 in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.errors import ImageError

LEVELS = 255


def check_images(images: Tensor, *, name: str = "images") -> None:
    """Raise ImageError unless ``images`` is (B, 3, H, W) floating point in [0, 1].

    Raises:
        ImageError: wrong rank, channels, dtype, range, an empty side, or a non-finite value.
    """
    if images.dim() != 4 or images.shape[1] != 3:
        raise ImageError(f"{name}: expected shape (B, 3, H, W), got {tuple(images.shape)}")
    if 0 in images.shape:
        raise ImageError(f"{name}: expected at least one pixel, got shape {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ImageError(f"{name}: expected floats in [0, 1], got {images.dtype}; divide by 255")
    low, high = (value.item() for value in torch.aminmax(images))
    if not (low >= 0 and high <= 1):  # also catches NaN
        raise ImageError(f"{name}: expected values in [0, 1], got {low:.4g} to {high:.4g}")


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resize of (B, C, H, W), antialiased where it shrinks; a copy is never forced."""
    if images.shape[-2:] == (height, width):
        return images
    shrinks = height < images.shape[-2] or width < images.shape[-1]
    return F.interpolate(images, (height, width), mode="bilinear", antialias=shrinks)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad right and bottom to a multiple, by reflection (by repetition where too small for it)."""
    height, width = images.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if not (down or right):
        return images
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, down), mode=mode)


def on_8bit_grid(images: Tensor) -> Tensor:
    """Round to the nearest k/255."""
    return (images * LEVELS).round_().div_(LEVELS)
