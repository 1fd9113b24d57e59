"""Countermeasures that need no model: what happens to pictures on their way, and simple filters."""

from __future__ import annotations

import io

import torch
from einops import rearrange
from PIL import Image, ImageFilter
from torch import Tensor

from fixative.countermeasures.base import Countermeasure, Outcome, StepCallback
from fixative.registry import Parameter


class GaussianNoise(Countermeasure):
    """Add Gaussian noise.

    Args:
        sigma: standard deviation on [0, 1], 0 to 0.5 (FastProtect tests .05, IMPRESS .1).
        seed: of the noise.
    """

    name = "noise"
    parameters = (Parameter("sigma", 0.05, 0.0, 0.5, "standard deviation on [0, 1]"),)

    def __init__(self, *, sigma: float = 0.05, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.sigma = sigma

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del on_step
        noise = torch.randn(image.shape, generator=generator).to(image)
        return image + self.sigma * noise, {}


class Jpeg(Countermeasure):
    """Save as JPEG (4:2:0) and read again.

    Args:
        quality: 1 to 95, Pillow's and libjpeg's scale (75 is usual; IMPRESS tests 15).
    """

    name = "jpeg"
    parameters = (Parameter("quality", 75, 1, 95, "libjpeg's quality"),)

    def __init__(self, *, quality: int = 75, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.quality = quality

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        buffer = io.BytesIO()
        to_picture(image).save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
        return from_picture(Image.open(buffer)), {"bytes": buffer.tell()}


class Resize(Countermeasure):
    """Shrink and enlarge again, both with Lanczos.

    Args:
        scale: of the sides, 0.1 to 1.
    """

    name = "resize"
    parameters = (Parameter("scale", 0.5, 0.1, 1.0, "of the sides"),)

    def __init__(self, *, scale: float = 0.5, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.scale = scale

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        picture = to_picture(image)
        width, height = (max(1, round(side * self.scale)) for side in picture.size)
        shrunk = picture.resize((width, height), Image.Resampling.LANCZOS)
        return from_picture(shrunk.resize(picture.size, Image.Resampling.LANCZOS)), {}


class CropResize(Countermeasure):
    """Cut a window at a random place and enlarge it to the picture's size, with Lanczos.

    Args:
        share: of the sides that is kept, 0.5 to 1.
        seed: of the place.
    """

    name = "crop"
    parameters = (Parameter("share", 0.9, 0.5, 1.0, "of the sides that is kept"),)

    def __init__(self, *, share: float = 0.9, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.share = share

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del on_step
        picture = to_picture(image)
        width, height = (max(1, round(side * self.share)) for side in picture.size)
        left = int(torch.randint(picture.width - width + 1, (), generator=generator))
        top = int(torch.randint(picture.height - height + 1, (), generator=generator))
        window = (left, top, left + width, top + height)
        enlarged = picture.resize(picture.size, Image.Resampling.LANCZOS, box=window)
        return from_picture(enlarged), {"window": list(window)}


class BitDepth(Countermeasure):
    """Keep fewer bits a channel (Xu et al. 2018, feature squeezing).

    Args:
        bits: 1 to 8.
    """

    name = "bits"
    parameters = (Parameter("bits", 4, 1, 8, "bits a channel"),)

    def __init__(self, *, bits: int = 4, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.bits = bits

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        levels = 2**self.bits - 1
        return (image * levels).round() / levels, {}


class Median(Countermeasure):
    """Replace each value by the median of its square neighbourhood (feature squeezing).

    Args:
        size: side of the square in pixels, 3, 5 or 7.
    """

    name = "median"
    parameters = (Parameter("size", "3", help="side in pixels", choices=("3", "5", "7")),)

    def __init__(self, *, size: str = "3", seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.size = size

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        return from_picture(to_picture(image).filter(ImageFilter.MedianFilter(int(self.size)))), {}


def to_picture(image: Tensor) -> Image.Image:
    """(1, 3, H, W) in [0, 1] → a PIL picture, rounded to 8 bits."""
    pixels = rearrange((image[0] * 255).round().to(torch.uint8), "c h w -> h w c")
    return Image.fromarray(pixels.cpu().numpy())


def from_picture(picture: Image.Image) -> Tensor:
    """A PIL picture → (1, 3, H, W) float32 in [0, 1]."""
    rgb = picture.convert("RGB")
    flat = torch.frombuffer(bytearray(rgb.tobytes()), dtype=torch.uint8)
    pixels = flat.reshape(rgb.height, rgb.width, 3)
    return rearrange(pixels, "h w c -> 1 c h w").float() / 255
