"""Between the host's Pillow images and the engine's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fixative.errors import ImageError
from fixative.pictures import Metadata, Picture
from fixative.pictures.modes import is_deep, to_rgb
from fixative.pictures.picture import Pixels

#: What Pillow keeps of a transparent colour, which is a channel of its own afterwards.
_CLEAR, _PROFILE = "transparency", "icc_profile"


def picture_of(image: Image.Image, *, name: str = "picture") -> Picture:
    """An image in memory as the engine takes it.

    Args:
        image: of any mode that ``fixative.pictures.modes`` knows.
        name: what messages call it.

    Raises:
        ImageError: the mode is refused, or the image is damaged.
    """
    try:
        deep = is_deep(image)
        image.load()
    except OSError as error:
        raise ImageError(f"{name}: is damaged or cut short ({error}); save it again") from error
    converted = to_rgb(image, deep=deep, name=name)
    notes = converted.notes
    if image.mode not in ("RGB", "RGBA"):
        notes += (f"it was {image.mode} and became {converted.image.mode}: colours change",)
    values = np.asarray(converted.image)
    alpha = np.ascontiguousarray(values[..., 3]) if converted.image.mode == "RGBA" else None
    pixels = np.ascontiguousarray(values[..., :3])
    return Picture(Path(name), pixels, alpha, Metadata(icc=converted.icc), notes)


def image_like(pixels: Pixels, picture: Picture, image: Image.Image) -> Image.Image:
    """New colours with the transparency, colour profile, EXIF and notes of an image.

    Args:
        pixels: (H, W, 3) uint8.
        picture: what ``picture_of`` made of ``image``.
        image: as the host gave it; not changed.
    """
    made = Picture(picture.path, pixels, picture.alpha, picture.metadata).image()
    made.info = {key: value for key, value in image.info.items() if key not in (_CLEAR, _PROFILE)}
    if picture.metadata.icc is not None:
        made.info[_PROFILE] = picture.metadata.icc
    return made
