"""What both strength maps ask of their input."""

from __future__ import annotations

from torch import Tensor

from fixative.errors import ImageError
from fixative.images import check_images


def check_pair(before: Tensor, after: Tensor) -> None:
    """Raise ImageError unless both are pictures in [0, 1] and of one shape."""
    check_images(before, name="before")
    check_images(after, name="after")
    if before.shape != after.shape:
        raise ImageError(
            f"after: expected the shape of before, {tuple(before.shape)}; got {tuple(after.shape)}"
        )
