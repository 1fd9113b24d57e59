"""The batches of the mimicry nodes, and what the model gets to see of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fixative.errors import ImageError
from fixative.images import on_8bit_grid
from fixative.mimicry.sets import LEAST, on_canvas, window

from .convert import split_alpha

CLEAN, PROTECTED, PURIFIED = "clean", "protected", "purified"
WINDOW, WHOLE = FITS = ("window", "whole")


def fitted(images: Tensor, side: int, fit: str) -> Tensor:
    """What the model gets to see of (N, 3, H, W): (N, 3, side, side) on the 8-bit grid."""
    if fit == WHOLE or min(images.shape[-2:]) < side:
        return torch.cat([on_canvas(image[None], side) for image in images])
    return on_8bit_grid(window(images, side))


def batches_of(
    clean: Tensor, protected: Tensor, purified: Tensor | None, *, least: int = LEAST
) -> dict[str, Tensor]:
    """The host's IMAGEs as the engine's, by input: the same pictures, as far as can be seen.

    Args:
        clean: (N, H, W, 3 or 4).
        protected: likewise.
        purified: likewise; None: nothing is connected.
        least: how many pictures are needed.

    Raises:
        ImageError: too few pictures, or other numbers or sizes than the clean ones.
    """
    given = {CLEAN: clean, PROTECTED: protected}
    given |= {} if purified is None else {PURIFIED: purified}
    batches = {name: split_alpha(images, name=name)[0] for name, images in given.items()}
    if len(batches[CLEAN]) < least:
        raise ImageError(
            f"clean: expected {least} pictures or more of one subject or style, got "
            f"{len(batches[CLEAN])}; batch some more"
        )
    for name, images in batches.items():
        if images.shape != batches[CLEAN].shape:
            raise ImageError(
                f"{name}: expected the pictures of clean, {_counted(batches[CLEAN])}; got "
                f"{_counted(images)}"
            )
    return batches


def fitted_batches(batches: Mapping[str, Tensor], side: int, fit: str) -> dict[str, Tensor]:
    """``fitted`` of each batch."""
    return {name: fitted(images, side, fit) for name, images in batches.items()}


def _counted(images: Tensor) -> str:
    count, _, height, width = images.shape
    return f"{count} of {width} × {height} pixels"
