"""Where the pictures of an evaluation lie, and how they are saved and read back."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from fixative.evaluation.protocol import NONE, PICTURE
from fixative.evaluation.rows import Key
from fixative.pictures.atomic import atomic_file
from fixative.pictures.picture import images_to_pixels, pixels_to_images
from fixative.pictures.reading import read_picture

FOLDER = "pictures"
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Files:
    """Names and contents of the pictures below an evaluation's folder.

    Attributes:
        out: the evaluation's folder.
    """

    out: Path

    def name(self, key: Key, *, sees: str) -> str:
        """A cell's file, relative to ``out``; ``sees`` tells pictures of windows apart."""
        picture, protection, strength, countermeasure = key
        parts = f"{protection} {strength:g} {countermeasure} {sees}"
        return f"{FOLDER}/{file_name(picture)}/{file_name(parts)}.png"

    def save(self, name: str, image: Tensor) -> Tensor:
        """Save (1, 3, H, W) as PNG, and give what a reader of the file gets.

        Raises:
            OSError: the disk is full or not to be written to.
        """
        path = self.out / name
        with atomic_file(path, overwrite=True) as temporary:
            Image.fromarray(images_to_pixels(image)).save(temporary, "PNG")
        return self.read(name)

    def read(self, name: str) -> Tensor:
        """A saved picture, (1, 3, H, W).

        Raises:
            ImageError: it is not there, or damaged.
        """
        return pixels_to_images(read_picture(self.out / name).pixels)

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.out / name).is_file()


def original_file(picture: str) -> str:
    """Where the original of a picture in the gallery is kept, relative to ``out``."""
    return Files(Path()).name((picture, NONE, 0.0, NONE), sees=PICTURE)


def file_name(text: str) -> str:
    """A name that every file system takes, and no other text has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:_LONGEST_NAME]
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain}-{digest}"
