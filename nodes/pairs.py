"""Pictures side by side: whether they belong together, and how a browser gets them."""

from __future__ import annotations

from PIL import Image
from torch import Tensor, uint8

from fixative.errors import ImageError
from fixative.strength import GAIN, SCALE

#: The strongest factor of a strength map; the front end's MAP_TOP is the same.
MAP_TOP = SCALE * GAIN


def check_pair(before: Tensor, after: Tensor) -> None:
    """See that two batches show the same pictures, in number and size.

    Args:
        before: (B, H, W, 3 or 4).
        after: (B, H, W, 3 or 4); one of them may have alpha and the other none.

    Raises:
        ImageError: another shape, number or size.
    """
    for name, images in (("before", before), ("after", after)):
        if images.dim() != 4 or images.shape[-1] not in (3, 4):
            raise ImageError(f"{name}: expected (B, H, W, 3 or 4), got {tuple(images.shape)}")
    if before.shape[:3] != after.shape[:3]:
        raise ImageError(
            f"before, after: expected as many pictures of the same size; before has "
            f"{_told(before)}, after has {_told(after)}. Connect the pictures that went in and "
            "those that came out, with nothing in between that resizes or drops any"
        )


def check_map(strength_map: Tensor, count: int) -> Tensor:
    """A map for each picture, from a host MASK of any size.

    Args:
        strength_map: (h, w), (1, h, w) or (B, h, w).
        count: the number of pictures.

    Returns:
        (count, h, w).

    Raises:
        ImageError: neither one map nor one a picture.
    """
    planes = strength_map[None] if strength_map.dim() == 2 else strength_map
    if planes.dim() != 3 or len(planes) not in (1, count):
        raise ImageError(
            f"map: expected one map, or one for each of the {count} pictures; "
            f"got shape {tuple(strength_map.shape)}"
        )
    return planes.expand(count, -1, -1)


def pixels_to_pil(image: Tensor) -> Image.Image:
    """(H, W, 3 or 4) in [0, 1] → a picture of mode RGB or RGBA, rounded to 8 bits."""
    return Image.fromarray(_levels(image).numpy())


def map_to_pil(strength_map: Tensor) -> Image.Image:
    """(h, w) factors → a grey picture; white is the strongest factor, 1.183."""
    return Image.fromarray(_levels(strength_map / MAP_TOP).numpy())


def _levels(values: Tensor) -> Tensor:
    return (values.detach().cpu().float().clamp(0, 1) * 255).round().to(uint8).contiguous()


def _told(images: Tensor) -> str:
    count, height, width, _ = images.shape
    return f"{count} of {width} × {height}"
