"""What Save Protected Image does to one picture, apart from the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fixative.errors import ImageError, SettingError
from fixative.images import LEVELS
from fixative.pictures import (
    Metadata,
    OutputFormat,
    Picture,
    change_left,
    output_format,
    with_workflow,
    without_generation,
    write_picture,
)
from fixative.pictures.picture import Pixels, images_to_pixels

from .filenames import check_prefix, expand_prefix, free_path
from .origins import Origins, told_kept

FORMATS = ("png", "webp", "jpeg")


@dataclass(frozen=True)
class Saved:
    """One picture on the disk.

    Attributes:
        path: its file.
        kept: what it carries of its origin, for the person; empty for nothing.
        loss: mean change of a colour value by a lossy format, in 1/255; 0 for the others.
        left: how much of the protection's change is left, 0 to 1; None if unknown.
        notes: what the format could not hold.
    """

    path: Path
    kept: str
    loss: float
    left: float | None
    notes: tuple[str, ...]

    def line(self) -> str:
        """For the person, in one line."""
        kept = self.kept or "no EXIF or colour profile inside"
        return "; ".join((f"{self.path.name} ({kept})", *self.notes))


@dataclass
class Saver:
    """Saves pictures one after the other under free names.

    Attributes:
        folder: where to.
        name: beginning of the file names; ``%batch_num%`` in it becomes the picture's number.
        counter: the next number to try.
        output: the format.
        origins: where metadata comes from.
        notes: the graph to write into the files, or nothing.
    """

    folder: Path
    name: str
    counter: int
    output: OutputFormat
    origins: Origins
    notes: Mapping[str, Any]

    def save(self, image: Tensor, alpha: Tensor | None, *, number: int) -> Saved:
        """Save (3, H, W) in [0, 1] with its alpha (1, H, W), rounded to the nearest level.

        Raises:
            ImageError: the format cannot hold it, or the disk does not take it.
        """
        pixels, opacity = images_to_pixels(image[None]), self._opacity(alpha)
        origin = self.origins.for_pixels(pixels)
        name = self.name.replace("%batch_num%", str(number))
        path, self.counter = free_path(self.folder, name, self.counter, self.output.suffix)
        picture = Picture(path, pixels, opacity, self._metadata(origin))
        try:
            written = write_picture(picture, pixels, path, output=self.output)
        except OSError as error:
            raise ImageError(
                f"filename_prefix: {path.name} cannot be written ({error.strerror or error}); "
                "choose another name, or make room on the disk"
            ) from error
        self.counter += 1
        loss = float(np.abs(written.pixels.astype(np.int16) - pixels).mean())
        left = _left(origin, pixels, written.pixels) if loss else None
        return Saved(path, told_kept(origin), loss, left, written.notes)

    def _metadata(self, origin: Picture | None) -> Metadata:
        kept = Metadata() if origin is None else without_generation(origin.metadata)
        return with_workflow(kept, self.notes, output=self.output) if self.notes else kept

    def _opacity(self, alpha: Tensor | None) -> Pixels | None:
        if alpha is None:
            return None
        levels = (alpha[0].clamp(0, 1) * LEVELS).round().byte().numpy()
        return None if not self.output.alpha and (levels == LEVELS).all() else levels


def chosen_output(name: str, *, lossy: bool, quality: int) -> OutputFormat:
    """The format, with its quality where it has one.

    Raises:
        SettingError: it loses and was not allowed to.
    """
    refusal = lossy_refusal(name, lossy)
    if refusal is not None:
        raise SettingError(refusal)
    output = output_format(name)
    return (
        output
        if output.lossless
        else replace(output, options={**output.options, "quality": quality})
    )


def prepared_prefix(prefix: str, prompt: Mapping[str, Any] | None) -> str:
    """The prefix with its placeholders filled in.

    Raises:
        SettingError: it names no file inside the output folder.
    """
    expanded = expand_prefix(prefix, now=datetime.now(), prompt=prompt)
    check_prefix(expanded)
    return expanded


def lossy_refusal(name: str, lossy: bool) -> str | None:
    """Why a format is not taken, or None."""
    if lossy or output_format(name).lossless:
        return None
    return (
        f"format: {name} changes colours, which weakens the protection; choose png or webp, or "
        "switch lossy on to save it all the same"
    )


def lossy_warning(done: list[Saved], output: OutputFormat) -> str | None:
    """What a lossy format did, or None for the others."""
    if output.lossless:
        return None
    loss = max(one.loss for one in done)
    shares = [one.left for one in done if one.left is not None]
    told = f"; about {min(shares):.0%} of the protecting change is left" if shares else ""
    return (
        f"saved as {output.name}, which moved colours by {loss:.1f}/255 on average{told}. "
        "The protection is weaker than in a png or webp"
    )


def altered_warning(images: Tensor) -> str | None:
    """What to say of pictures that no protection left like this: they always end on whole levels.

    Args:
        images: as the node got them, of any float type; too coarse a type tells nothing.
    """
    levels = images.detach().cpu().float() * LEVELS
    tolerance = max(0.01, LEVELS * torch.finfo(images.dtype).eps)
    if (levels - levels.round()).abs().max() <= tolerance:
        return None
    return (
        "the pictures to save have values between 8-bit levels, so they are not as a protection "
        "left them: something changed them afterwards, or they were never protected. Put Protect "
        "Image last, right before saving"
    )


def _left(origin: Picture | None, meant: Pixels, saved: Pixels) -> float | None:
    if origin is None or origin.pixels.shape != meant.shape:
        return None
    return change_left(origin.pixels, meant, saved)
