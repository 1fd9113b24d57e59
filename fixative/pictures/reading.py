"""Read picture files, or say in one line why not."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from fixative.errors import ImageError, PictureTooLargeError, SettingError
from fixative.pictures.formats import READ_FORMATS, READABLE
from fixative.pictures.metadata import collect_metadata, orientation
from fixative.pictures.modes import is_deep, to_rgb
from fixative.pictures.naming import shown
from fixative.pictures.picture import Picture, Pixels

#: Pillow's own guard against decompression bombs refuses above this, in megapixels.
MOST_MEGAPIXELS = 178.0
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ReadLimits:
    """The largest picture that is read, checked before its pixels are unpacked.

    Attributes:
        megapixels: width × height / 1,000,000, above 0 and at most 178.
        side: the longer side in pixels.
    """

    megapixels: float = 64.0
    side: int = 32_000

    def __post_init__(self) -> None:
        if not 0 < self.megapixels <= MOST_MEGAPIXELS:
            raise SettingError(
                f"the limit is {self.megapixels:g} megapixels, "
                f"expected above 0 and at most {MOST_MEGAPIXELS:g}"
            )


DEFAULT_LIMITS = ReadLimits()


def read_picture(path: str | Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> Picture:
    """Read a picture file upright, as 8-bit RGB with its transparency and metadata.

    The EXIF orientation is applied to the pixels and removed from the metadata, so that the
    picture is the right way up in every viewer, and the codec sees what people see.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF file with one frame.
        limits: the largest size accepted.

    Raises:
        PictureTooLargeError: it has more pixels than the limits allow.
        ImageError: the file cannot be used; the message says why and what to do.
    """
    path = Path(path)
    with _opened(path) as (image, file):
        _check_size(image, path, limits)
        notes = _check_frames(image, path)
        deep = is_deep(image)
        image.load()
        turn = _TURNS.get(orientation(image))
        converted = to_rgb(image, deep=deep, name=shown(path))
        metadata, losses = collect_metadata(image, file=file, icc=converted.icc)
    upright = converted.image.transpose(turn) if turn is not None else converted.image
    values = np.asarray(upright)
    alpha = np.ascontiguousarray(values[..., 3]) if upright.mode == "RGBA" else None
    pixels = np.ascontiguousarray(values[..., :3])
    return Picture(path, pixels, alpha, metadata, notes + converted.notes + losses)


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height that a picture file says it has, before any turning; no pixels are read.

    Raises:
        ImageError: it is no picture that can be read.
    """
    with _opened(Path(path)) as (image, _):
        return image.size


def read_mask(path: str | Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> Pixels:
    """Read a picture as a mask: (H, W) uint8, 255 = protect, 0 = leave alone.

    The mask is the picture's brightness; transparent parts count as black.

    Raises:
        ImageError: as ``read_picture``.
    """
    picture = read_picture(path, limits=limits)
    bright = np.asarray(Image.fromarray(picture.pixels).convert("L"))
    if picture.alpha is None:
        return bright
    return np.rint(bright * (picture.alpha / 255.0)).astype(np.uint8)


@contextmanager
def _opened(path: Path) -> Generator[tuple[Image.Image, IO[bytes]], None, None]:
    """Open a picture; whatever Pillow raises while it is in use becomes an ImageError."""
    name = shown(path)
    _check_file(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # Pillow warns of what is checked or repaired here
            with Image.open(file, formats=_known_formats()) as image:
                yield image, file
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: is not an image, or its beginning is damaged; expected {READABLE}"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureTooLargeError(
            f"{name}: has more than {MOST_MEGAPIXELS:g} megapixels; make it smaller first"
        ) from error
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise ImageError(
            f"{name}: is damaged or cut short ({_one_line(error)}); open it in your picture "
            "editor and save it again"
        ) from error


def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in READ_FORMATS if name in Image.OPEN)


def _check_file(path: Path) -> None:
    name = shown(path)
    try:
        status = path.stat()
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror})") from error
    if not path.is_file():
        raise ImageError(f"{name}: is not a file, expected a picture")
    if status.st_size == 0:
        raise ImageError(f"{name}: is empty (0 bytes), expected {READABLE}")


def _check_size(image: Image.Image, path: Path, limits: ReadLimits) -> None:
    width, height = image.size
    size = f"{shown(path)}: is {width} x {height} pixels"
    if width < 1 or height < 1:
        raise ImageError(f"{size}, expected at least 1 x 1")
    if max(width, height) > limits.side:
        raise PictureTooLargeError(
            f"{size}, expected at most {limits.side} a side; cut or shrink it first"
        )
    if width * height > limits.megapixels * 1e6:
        raise PictureTooLargeError(
            f"{size} ({width * height / 1e6:.1f} megapixels), expected at most "
            f"{limits.megapixels:g} megapixels; shrink it, or raise the limit if memory allows"
        )


def _check_frames(image: Image.Image, path: Path) -> tuple[str, ...]:
    frames = int(getattr(image, "n_frames", 1))
    if frames == 1:
        return ()
    if image.format == "MPO":  # a camera's JPEG with a preview or a second exposure behind it
        return ("it holds a second picture (a camera's preview or depth), which was left out",)
    raise ImageError(
        f"{shown(path)}: has {frames} frames or pages, expected one; "
        "save each as a picture of its own first"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
