"""A picture in memory: 8-bit RGB, its transparency, and what to keep beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fixative.pictures.metadata import Metadata

if TYPE_CHECKING:
    from torch import Tensor

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture as its viewer sees it, upright.

    Attributes:
        path: the file it came from.
        pixels: (H, W, 3) uint8 RGB. Colours under fully transparent pixels are as stored: most
            training loaders drop the transparency and see exactly those, so they are protected too.
        alpha: (H, W) uint8, 255 = opaque, or None for a picture without transparency.
        metadata: EXIF, colour profile and the like.
        notes: what reading had to change, one sentence each, for the report.
    """

    path: Path
    pixels: Pixels
    alpha: Pixels | None
    metadata: Metadata
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def images(self) -> Tensor:
        """Return the colours as (1, 3, H, W) float32 in [0, 1]."""
        return pixels_to_images(self.pixels)

    def image(self) -> Image.Image:
        """Return a Pillow image, RGB or RGBA, without metadata."""
        if self.alpha is None:
            return Image.fromarray(self.pixels)
        return Image.fromarray(np.dstack([self.pixels, self.alpha]))


def pixels_to_images(pixels: Pixels) -> Tensor:
    """Convert (H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]."""
    import torch  # noqa: PLC0415 - the command line starts without it

    planes = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    return planes.unsqueeze(0).to(torch.float32).div_(255)


def images_to_pixels(images: Tensor) -> Pixels:
    """Convert (1, 3, H, W) floats in [0, 1] to (H, W, 3) uint8, rounded to the nearest level."""
    levels = images.detach()[0].mul(255).round_().clamp_(0, 255).byte()
    return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())
