"""Write pictures whole, with their metadata, and read them back to prove it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from fixative.errors import ImageError
from fixative.pictures.atomic import atomic_file
from fixative.pictures.formats import OutputFormat
from fixative.pictures.metadata import JPEG_XMP_NAME, Metadata
from fixative.pictures.naming import shown
from fixative.pictures.picture import Picture, Pixels
from fixative.pictures.reading import MOST_MEGAPIXELS, ReadLimits, read_picture
from fixative.pictures.workflow import WORKFLOW_KEYS

_NO_LIMITS = ReadLimits(megapixels=MOST_MEGAPIXELS, side=2**31)
#: What a block of a JPEG holds at most, in bytes.
_JPEG_BLOCK = 65533


@dataclass(frozen=True)
class SavedPicture:
    """A picture as it is now on the disk.

    Attributes:
        path: the file.
        pixels: (H, W, 3) uint8, read back from the file.
        notes: what the format could not hold, one sentence each.
    """

    path: Path
    pixels: Pixels
    notes: tuple[str, ...] = ()


def write_picture(
    picture: Picture,
    pixels: Pixels,
    path: str | Path,
    *,
    output: OutputFormat,
    overwrite: bool = False,
) -> SavedPicture:
    """Save new colours with a picture's transparency and metadata.

    The file is written beside its final place, read back, compared, and only then given its name.

    Args:
        picture: what the colours were made from: size, transparency and metadata.
        pixels: (H, W, 3) uint8 RGB, the size of ``picture``.
        path: where to save; ``output`` decides the format, not the suffix.
        output: one of ``OUTPUT_FORMATS``.
        overwrite: replace an existing file.

    Returns:
        The picture as read back. For lossless formats its colours equal ``pixels``.

    Raises:
        ImageError: the format cannot hold the picture, or the file read back is not what was meant.
        SettingError: the file exists and ``overwrite`` is False.
        OSError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    _check(picture, pixels, path, output)
    arguments, notes = _save_arguments(picture.metadata, output)
    with atomic_file(path, overwrite=overwrite) as temporary:
        image = Picture(path, pixels, picture.alpha, picture.metadata).image()
        _save(image, temporary, arguments, path, output)
        saved = read_picture(temporary, limits=_NO_LIMITS)
        _compare(saved, pixels, picture, path, output)
    return SavedPicture(path, saved.pixels, notes)


def _check(picture: Picture, pixels: Pixels, path: Path, output: OutputFormat) -> None:
    name = shown(path)
    if pixels.shape != picture.pixels.shape or pixels.dtype != np.uint8:
        raise ImageError(
            f"{name}: got colours of shape {pixels.shape} ({pixels.dtype}), "
            f"expected {picture.pixels.shape} (uint8)"
        )
    if max(picture.size) > output.max_side:
        raise ImageError(
            f"{name}: is {picture.size[0]} x {picture.size[1]} pixels, but {output.name} holds at "
            f"most {output.max_side} a side; save as png"
        )
    if picture.alpha is not None and not output.alpha:
        raise ImageError(
            f"{name}: has transparency, which {output.name} cannot hold; save as png or webp"
        )


def _save(
    image: Image.Image,
    temporary: Path,
    arguments: dict[str, object],
    path: Path,
    output: OutputFormat,
) -> None:
    try:
        image.save(temporary, format=output.pillow, **arguments)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # encoders raise nearly anything on what they cannot hold
        raise ImageError(
            f"{shown(path)}: cannot be saved as {output.name} ({error}); save in another format"
        ) from error


def _compare(
    saved: Picture, pixels: Pixels, picture: Picture, path: Path, output: OutputFormat
) -> None:
    same_alpha = np.array_equal(_opacity(saved), _opacity(picture))
    same_colours = saved.pixels.shape == pixels.shape
    if output.lossless:
        same_colours = np.array_equal(saved.pixels, pixels)
    if not (same_colours and same_alpha and saved.metadata.icc == picture.metadata.icc):
        raise ImageError(
            f"{shown(path)}: read back from the disk it is not what was written, so it was "
            "removed; check the disk, or save in another format"
        )


def _opacity(picture: Picture) -> Pixels:
    """The alpha, all opaque where there is none: WebP drops one that is all opaque."""
    if picture.alpha is not None:
        return picture.alpha
    return np.full(picture.pixels.shape[:2], 255, dtype=np.uint8)


def _save_arguments(
    metadata: Metadata, output: OutputFormat
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the arguments of Pillow's ``save``, and notes on what does not fit the format."""
    arguments: dict[str, object] = dict(output.options)
    if metadata.exif:
        arguments["exif"] = metadata.exif
    if metadata.icc is not None:
        arguments["icc_profile"] = metadata.icc
    if metadata.dpi is not None and output.pillow != "WEBP":
        arguments["dpi"] = metadata.dpi
    if output.pillow == "PNG":
        arguments["pnginfo"] = _png_info(metadata)
        return arguments, ()
    if output.pillow == "WEBP":
        arguments["xmp"] = metadata.xmp
        return arguments, _losses(metadata, output, texts=bool(metadata.texts))
    return arguments | _jpeg_arguments(metadata), _losses(
        metadata, output, texts=bool(set(metadata.texts) - {"Comment"})
    )


def _losses(metadata: Metadata, output: OutputFormat, *, texts: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if texts:
        notes.append(f"its text notes were left out, which {output.name} cannot hold")
    if set(metadata.colour_chunks) - {b"sRGB"}:
        notes.append(f"its PNG colour marks were left out, which {output.name} cannot hold")
    if output.pillow == "JPEG" and len(metadata.xmp) > _JPEG_BLOCK - len(JPEG_XMP_NAME):
        notes.append("its XMP packet was left out: too large for jpeg")
    return tuple(notes)


def _png_info(metadata: Metadata) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for kind, data in metadata.colour_chunks.items():
        info.add(kind, data)
    for key, text in metadata.texts.items():
        # ComfyUI opens the workflow of a dropped file only from a chunk that is not compressed.
        info.add_text(key, text, zip=len(text) > 1024 and key not in WORKFLOW_KEYS)
    if metadata.xmp:
        info.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    return info


def _jpeg_arguments(metadata: Metadata) -> dict[str, object]:
    arguments: dict[str, object] = {}
    if "Comment" in metadata.texts:
        arguments["comment"] = metadata.texts["Comment"].encode()
    block = JPEG_XMP_NAME + metadata.xmp
    if metadata.xmp and len(block) <= _JPEG_BLOCK:
        arguments["extra"] = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    return arguments
