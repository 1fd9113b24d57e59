"""``fixative compare``: a sheet of before, after, what changed, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fixative import pictures
from fixative.cli.console import MapName, clear_errors, results, say
from fixative.pictures.naming import shown

if TYPE_CHECKING:
    from torch import Tensor

    from fixative.pictures import Picture


def compare(
    before: Annotated[Path, typer.Argument(help="The picture as it was.")],
    after: Annotated[Path, typer.Argument(help="Its protected copy, of the same size.")],
    out: Annotated[Path, typer.Option("--out", help="The sheet to write (PNG).")],
    strength_map: Annotated[
        MapName, typer.Option("--strength-map", help="The map to draw; off leaves it out.")
    ] = MapName.learned,
    height: Annotated[
        int, typer.Option("--height", min=16, max=4096, help="Height of a panel in pixels at most.")
    ] = 640,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet.")] = False,
) -> None:
    """Draw before, after, difference ×10 and strength map side by side."""
    with clear_errors():
        _draw(before, after, out, strength_map.value, height, overwrite=overwrite)
        say(results(), f"wrote {shown(out)}")


def _draw(
    before: Path, after: Path, out: Path, map_name: str, height: int, *, overwrite: bool
) -> None:
    pictures.refuse_existing(out, overwrite=overwrite, inputs=(before, after))
    first, second = pictures.read_picture(before), pictures.read_picture(after)
    pictures.check_same_size(first.image(), second.image())
    factors = None if map_name == MapName.off.value else _factors(first, second, map_name)
    sheet = pictures.comparison_sheet(first.image(), second.image(), factors, panel_height=height)
    with pictures.atomic_file(out, overwrite=overwrite) as temporary:
        sheet.save(temporary, format="PNG")


def _factors(before: Picture, after: Picture, map_name: str) -> Tensor:
    """The strength map of the pair, on 512 × 512 copies as the protection sees them."""
    import torch  # noqa: PLC0415 - loads for seconds

    from fixative.images import resize  # noqa: PLC0415
    from fixative.mixture import SIDE  # noqa: PLC0415
    from fixative.perceptual import load_visibility_map  # noqa: PLC0415
    from fixative.strength import adaptive_strength  # noqa: PLC0415

    visibility = load_visibility_map(map_name)
    with torch.no_grad():
        copies = [resize(picture.images(), SIDE, SIDE).clamp(0, 1) for picture in (before, after)]
        return adaptive_strength(visibility(*copies))
