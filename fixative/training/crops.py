"""Random training crops, the same for the same seed and step whatever came before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import IO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fixative.errors import ImageError
from fixative.training.splits import training_pictures

log = logging.getLogger(__name__)


def step_generator(seed: int, step: int) -> torch.Generator:
    """A generator that depends on (seed, step) only: this makes a resumed run bit-exact."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


class CropSampler:
    """Training pictures held in memory; every kind is drawn equally often.

    Args:
        folder: pictures in one folder a kind; those held out for measuring are left out.
        short_side: larger pictures are shrunk so that their short side is this, in pixels.
    """

    def __init__(self, folder: Path, *, short_side: int = 640) -> None:
        if not folder.is_dir():
            raise ImageError(f"training pictures: no folder {folder}; give an existing folder")
        self._pictures: dict[str, list[Tensor]] = {}
        for kind, paths in training_pictures(folder).items():
            self._pictures[kind] = [load_picture(path, short_side=short_side) for path in paths]
        self._kinds = sorted(self._pictures)
        if not self._kinds:
            raise ImageError(f"training pictures: none found below {folder}")
        log.info("training pictures: %s", {k: len(v) for k, v in self._pictures.items()})

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures of each kind are drawn from."""
        return {kind: len(pictures) for kind, pictures in self._pictures.items()}

    def seek(self, step: int) -> None:
        """Every step draws from all pictures."""

    def pick(self, index: int, generator: torch.Generator) -> Tensor:
        """A random whole picture, (3, H, W) uint8, of kind number ``index`` (kinds in turn)."""
        pictures = self._pictures[self._kinds[index % len(self._kinds)]]
        return pictures[_randint(len(pictures), generator)]

    def sample(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Draw (count, 3, size, size) crops in [0, 1], at 1 to 2 times reduced scale, flipped."""
        return torch.stack([self._crop(size, generator) for _ in range(count)])

    def _crop(self, size: int, generator: torch.Generator) -> Tensor:
        kind = self._kinds[_randint(len(self._kinds), generator)]
        pictures = self._pictures[kind]
        picture = pictures[_randint(len(pictures), generator)]
        return random_crop(picture, size, generator)


def random_crop(picture: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A square of a picture (3, H, W) uint8 at 1 to 2 times reduced scale, perhaps mirrored.

    Returns:
        (3, size, size) in [0, 1].
    """
    height, width = picture.shape[-2:]
    scale = 1 + float(torch.rand((), generator=generator))
    side = min(round(size * scale), height, width)
    top = _randint(height - side + 1, generator)
    left = _randint(width - side + 1, generator)
    crop = picture[None, :, top : top + side, left : left + side].float() / 255
    if side != size:
        crop = F.interpolate(crop, (size, size), mode="bilinear", antialias=True)
    flip = _randint(2, generator) == 1
    return crop[0].flip(-1) if flip else crop[0]


def load_picture(path: Path | IO[bytes], *, short_side: int = 640) -> Tensor:
    """A picture file as (3, H, W) uint8; a larger one is shrunk to that short side in pixels."""
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    scale = short_side / min(rgb.size)
    if scale < 1:
        size = (round(rgb.width * scale), round(rgb.height * scale))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()


def _randint(high: int, generator: torch.Generator) -> int:
    return int(torch.randint(high, (), generator=generator))
