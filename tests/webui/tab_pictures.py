"""Pictures that are given to the tab, and what the engine makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from fixative import Protector
from fixative.pictures import read_picture
from fixative.pictures.picture import images_to_pixels
from tests.picture_files import photo

ARTIST, ICC = "Jo Doe", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (120, 90)


def keep(path: Path, *, seed: int = 1, channels: int = 3) -> Path:
    """A PNG as artists have them: a profile, a camera's notes, perhaps transparency."""
    image = Image.fromarray(photo(*SIZE, channels=channels, seed=seed))
    exif = Image.Exif()
    exif[0x013B] = ARTIST
    image.save(path, icc_profile=ICC, exif=exif.tobytes())
    return path


def expected(source: Path, protector: Protector) -> np.ndarray:
    return images_to_pixels(protector.protect(read_picture(source).images()).image)
