"""One picture that shows a protection: before, after, what changed, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fixative.errors import ImageError

if TYPE_CHECKING:
    from torch import Tensor

PANEL_HEIGHT = 640
AMPLIFIED = 10
_LABEL_HEIGHT = 24
_GAP = 8
#: Factors are 0 to 1.2, mostly close to 1: a steep curve shows 0.91 and 1.18 as clearly different.
_LARGEST_FACTOR, _MAP_CURVE = 1.2, 4
_PAPER = (255, 255, 255)
_INK = (40, 40, 40)


def comparison_sheet(
    before: Image.Image,
    after: Image.Image,
    strength_map: Tensor | None = None,
    *,
    panel_height: int = PANEL_HEIGHT,
) -> Image.Image:
    """Draw before / after / difference ×10 / strength map side by side, with labels.

    Args:
        before: the picture as it was; transparency is shown on white.
        after: the protected picture, the same size.
        strength_map: (1, 1, h, w) factors, 0 drawn black to 1.2 drawn white; None leaves the
            panel out.
        panel_height: height of each panel in pixels at most, 16 or more; larger pictures are
            reduced, smaller ones are not enlarged.

    Returns:
        An RGB picture. The difference is drawn around mid-grey: grey = unchanged.

    Raises:
        ImageError: the sizes differ.
    """
    check_same_size(before, after)
    first, second = _on_white(before), _on_white(after)
    size = _panel_size(first.size, panel_height)
    panels = [
        ("before", _reduced(first, size)),
        ("after", _reduced(second, size)),
        (f"difference x{AMPLIFIED}", _reduced(difference(first, second), size)),
    ]
    if strength_map is not None:
        panels.append(("strength map", _map_panel(strength_map, size)))
    return _side_by_side(panels)


def difference(before: Image.Image, after: Image.Image, *, factor: int = AMPLIFIED) -> Image.Image:
    """Return after − before, amplified around mid-grey and clipped, as an RGB picture."""
    first = np.asarray(before.convert("RGB"), dtype=np.int16)
    second = np.asarray(after.convert("RGB"), dtype=np.int16)
    return Image.fromarray(np.clip(128 + factor * (second - first), 0, 255).astype(np.uint8))


def check_same_size(before: Image.Image, after: Image.Image) -> None:
    """Raise ImageError unless both pictures have the same size."""
    if before.size != after.size:
        (width, height), (other_width, other_height) = before.size, after.size
        raise ImageError(
            f"the second picture is {other_width} x {other_height} pixels, expected "
            f"{width} x {height} like the first; compare a picture with its own protected copy"
        )


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def _panel_size(size: tuple[int, int], height: int) -> tuple[int, int]:
    scale = min(1.0, height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _reduced(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _map_panel(strength_map: Tensor, size: tuple[int, int]) -> Image.Image:
    factors = strength_map.detach().float().cpu().numpy().reshape(strength_map.shape[-2:])
    levels = np.clip(factors / _LARGEST_FACTOR, 0, 1) ** _MAP_CURVE * 255
    grey = Image.fromarray(np.rint(levels).astype(np.uint8))
    return grey.resize(size, Image.Resampling.BILINEAR).convert("RGB")


def _side_by_side(panels: list[tuple[str, Image.Image]]) -> Image.Image:
    font = ImageFont.load_default()
    drawing = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    columns = [max(panel.width, int(drawing.textlength(label, font))) for label, panel in panels]
    height = max(panel.height for _, panel in panels) + _LABEL_HEIGHT + _GAP
    sheet = Image.new("RGB", (sum(columns) + _GAP * (len(panels) + 1), height), _PAPER)
    drawing = ImageDraw.Draw(sheet)
    left = _GAP
    for (label, panel), column in zip(panels, columns, strict=True):
        drawing.text((left, _LABEL_HEIGHT // 3), label, fill=_INK, font=font)
        sheet.paste(panel, (left, _LABEL_HEIGHT))
        left += column + _GAP
    return sheet
