"""Protect files one after another; a bad one is reported and the rest goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from fixative.batch.plan import FileTask
from fixative.errors import FixativeError, ImageError
from fixative.pictures import (
    DEFAULT_LIMITS,
    OUTPUT_FORMATS,
    OutputFormat,
    Picture,
    ReadLimits,
    read_picture,
    write_picture,
)
from fixative.pictures.atomic import atomic_file, refuse_existing
from fixative.pictures.naming import shown
from fixative.pictures.picture import Pixels, images_to_pixels, pixels_to_images
from fixative.protections.base import Protected
from fixative.protector import PictureReport, Protector

log = logging.getLogger(__name__)

_ROWS = 256


@dataclass(frozen=True)
class FileOptions:
    """How files are read and written.

    Attributes:
        output: the format of the results.
        overwrite: replace results that exist.
        mask: (H, W) uint8 for pictures of that size, 255 = protect, 0 = leave; None for all.
        measure_pull: measure the pull after saving; costs two encodes a picture.
        limits: the largest picture that is read.
        batch: pictures of folders whose copies are encoded together, at most.
    """

    output: OutputFormat = field(default_factory=lambda: OUTPUT_FORMATS["png"])
    overwrite: bool = False
    mask: Pixels | None = None
    measure_pull: bool = False
    limits: ReadLimits = DEFAULT_LIMITS
    batch: int = 1


@dataclass(frozen=True)
class Change:
    """How the saved file differs from its original, in whole 8-bit levels.

    Attributes:
        largest: of any channel, in 1/255.
        mean: absolute, over all channels, in 1/255.
        psnr: in dB; None if they are equal.
    """

    largest: int
    mean: float
    psnr: float | None


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes:
        source: the picture.
        output: the protected copy; None if there is none.
        seconds: reading, protecting, saving and checking.
        error: one line that says why it failed; None if it did not.
        size: width and height in pixels.
        report: what the engine chose and why.
        change: measured on the saved file.
        pull: measured on the saved file, if asked for.
        warnings: what the person should know, one sentence each.
        unchanged: it was protected by an earlier run, and nothing had to be done.
    """

    source: Path
    output: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    size: tuple[int, int] | None = None
    report: PictureReport | None = None
    change: Change | None = None
    pull: float | None = None
    warnings: tuple[str, ...] = ()
    unchanged: bool = False


def protect_files(
    tasks: Iterable[FileTask], protector: Protector, options: FileOptions | None = None
) -> Iterator[FileResult]:
    """Protect pictures, giving each result as it is ready.

    A picture that cannot be read, protected or saved gives a result with an error. Interrupting
    the loop leaves whole files only.
    """
    options = options or FileOptions()
    for task in tasks:
        start = time.perf_counter()
        try:
            yield protect_file(task, protector, options)
        except Exception as error:  # one picture must not end the run; reason tells them apart
            seconds = time.perf_counter() - start
            yield FileResult(task.source, error=reason(error, task), seconds=seconds)


def protect_file(task: FileTask, protector: Protector, options: FileOptions) -> FileResult:
    """Protect one picture.

    Raises:
        ImageError: it cannot be read, or not saved in this format.
        SettingError: the result exists and may not be replaced.
        OSError: the result cannot be written.
    """
    start = time.perf_counter()
    refuse_existing(task.output, overwrite=options.overwrite)
    picture = read_picture(task.source, limits=options.limits)
    [protected] = protect_pictures([picture], protector, options)
    pixels = images_to_pixels(protected.image)
    saved = write_picture(
        picture, pixels, task.output, output=options.output, overwrite=options.overwrite
    )
    change = measure_saved(picture.pixels, saved.pixels)
    pull = None
    if options.measure_pull:
        after = pixels_to_images(saved.pixels)
        pull = float(protector.measure_pull(picture.images(), after)[0])
    return FileResult(
        source=task.source,
        output=task.output,
        seconds=time.perf_counter() - start,
        size=picture.size,
        report=protected.reports[0],
        change=change,
        pull=pull,
        warnings=task.notes
        + picture.notes
        + saved.notes
        + cautions(change, protector.strength, options),
    )


def measure_saved(before: Pixels, after: Pixels) -> Change:
    """Compare two (H, W, 3) uint8 pictures exactly, a few rows at a time."""
    counts = np.zeros(256, dtype=np.int64)
    for top in range(0, len(before), _ROWS):
        one, two = before[top : top + _ROWS], after[top : top + _ROWS]
        levels = np.maximum(one, two) - np.minimum(one, two)
        counts += np.bincount(levels.ravel(), minlength=256)
    levels, total = np.arange(256), int(counts.sum())
    largest = int(levels[counts > 0].max())
    square = float((counts * levels**2).sum()) / total
    psnr = None if largest == 0 else float(10 * np.log10(255**2 / square))
    return Change(largest, float((counts * levels).sum()) / total, psnr)


def check_writable(folder: Path) -> None:
    """Make a folder and try a file in it, before hours of work are put into one that fails.

    Raises:
        OSError: it cannot be made or written to.
    """
    with atomic_file(folder / ".fixative-trial", overwrite=True):
        pass
    (folder / ".fixative-trial").unlink()


def protect_pictures(
    pictures: Sequence[Picture], protector: Protector, options: FileOptions
) -> list[Protected]:
    """Protect pictures of any sizes together, inside the mask where there is one.

    Raises:
        ImageError: the mask is of another size than a picture.
    """
    masks = [_mask_of(picture, options) for picture in pictures]
    images = [picture.images() for picture in pictures]
    if len(pictures) == 1:
        return [protector.protect(images[0], mask=masks[0])]
    return protector.protect_many(images, masks)


def _mask_of(picture: Picture, options: FileOptions) -> Tensor | None:
    if options.mask is None:
        return None
    height, width = options.mask.shape
    if (width, height) != picture.size:
        raise ImageError(
            f"{shown(picture.path)}: is {picture.size[0]} x {picture.size[1]} pixels, but the "
            f"mask is {width} x {height}; give a mask of the picture's size"
        )
    return pixels_to_images(options.mask[..., None])


def cautions(change: Change, strength: float, options: FileOptions) -> tuple[str, ...]:
    """What the person should know of a saved picture, one sentence each."""
    found: list[str] = []
    name = options.output.name
    if not options.output.lossless:
        found.append(
            f"{name} is lossy and weakens the protection; save as png or webp to keep all of it"
        )
    if options.output.lossless and change.largest == 0 and strength > 0:
        found.append(
            "nothing changed: the strength, the mask or the small size leaves no whole level"
        )
    if change.largest > strength:
        found.append(
            f"saved as {name} the largest change is {change.largest}/255, "
            f"above the strength of {strength:g}/255"
        )
    return tuple(found)


def reason(error: Exception, task: FileTask) -> str:
    """One line that names the file and says why it failed."""
    name = shown(task.source)
    if isinstance(error, FixativeError):
        return str(error)
    if isinstance(error, OSError):
        place = shown(str(error.filename or task.output))
        return f"{name}: cannot be saved: {error.strerror or error} ({place})"
    if isinstance(error, MemoryError) or "alloc" in str(error) or "memory" in str(error):
        return f"{name}: needs more memory than is free; shrink it or close other programs"
    log.error("%s failed", name, exc_info=error)
    return f"{name}: failed for a reason not foreseen ({type(error).__name__}: {error})"
