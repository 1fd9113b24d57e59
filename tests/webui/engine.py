"""What the engine makes of a picture by itself: the web UI must give the same, bit for bit."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fixative.codecs import load_codec
from fixative.mixture import load_mixture
from fixative.pictures.picture import images_to_pixels, pixels_to_images
from fixative.protector import Protector, ProtectSettings
from tests.picture_files import photo

Pixels = NDArray[np.uint8]


@cache
def _parts() -> Any:
    return load_codec(), load_mixture()


def protected(pixels: Pixels, settings: ProtectSettings | None = None) -> Pixels:
    """(H, W, 3) uint8 → the same, protected through the embedded codec."""
    codec, mixture = _parts()
    protector = Protector(codec, mixture, settings)
    return images_to_pixels(protector.protect(pixels_to_images(pixels)).image)


def picture_bytes(pixels: Any, kind: str = "PNG", **arguments: Any) -> bytes:
    """A picture file in memory."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **arguments)
    return file.getvalue()


def encoded(pixels: Any, **arguments: Any) -> str:
    """A PNG in base64."""
    return base64.b64encode(picture_bytes(pixels, **arguments)).decode("ascii")


def decoded(text: str) -> Image.Image:
    """The picture of a base64 text, loaded."""
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    image.load()
    return image


def colours(image: Image.Image | Path) -> Pixels:
    """(H, W, 3) uint8, whatever the transparency."""
    found = Image.open(image) if isinstance(image, Path) else image
    return np.asarray(found)[..., :3]


__all__ = ["colours", "decoded", "encoded", "photo", "picture_bytes", "protected"]
