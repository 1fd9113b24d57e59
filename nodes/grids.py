"""Rows of pictures under labels, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .convert import to_pil

LABEL, LETTERS, GAP, MOST_WIDTH = 22, 14, 6, 2048
PAPER, INK = (255, 255, 255), (40, 40, 40)


def labelled_rows(rows: Sequence[tuple[str, Tensor]], *, side: int) -> Image.Image:
    """Draw pictures row by row, a label above each row.

    Args:
        rows: a label, and (K, 3, h, w) in [0, 1]; at least one row, of any lengths.
        side: of each picture in pixels at most; smaller where the sheet would be wider than 2048.

    Returns:
        An RGB picture.
    """
    longest = max(len(pictures) for _, pictures in rows)
    side = max(16, min(side, (MOST_WIDTH - GAP) // longest - GAP))
    sheet = _paper(longest, len(rows), side, at_least=max(_width(label) for label, _ in rows))
    for row, (label, pictures) in enumerate(rows):
        _write(sheet, label, (0, row), side)
        for column, picture in enumerate(pictures):
            _put(sheet, picture, (column, row), side)
    return sheet


def labelled_columns(columns: Sequence[tuple[str, Tensor]], *, side: int) -> Image.Image:
    """One row of pictures (3, h, w) in [0, 1], a label above each."""
    sheet = _paper(len(columns), 1, side)
    for column, (label, picture) in enumerate(columns):
        _write(sheet, label, (column, 0), side)
        _put(sheet, picture, (column, 0), side)
    return sheet


def _paper(columns: int, rows: int, side: int, *, at_least: int = 0) -> Image.Image:
    width = max(GAP + columns * (side + GAP), at_least)
    return Image.new("RGB", (width, rows * (LABEL + side + GAP)), PAPER)


def _width(label: str) -> int:
    return round(ImageFont.load_default(LETTERS).getlength(label)) + 2 * GAP


def _write(sheet: Image.Image, label: str, cell: tuple[int, int], side: int) -> None:
    place = GAP + cell[0] * (side + GAP), cell[1] * (LABEL + side + GAP) + 3
    ImageDraw.Draw(sheet).text(place, label, fill=INK, font=ImageFont.load_default(LETTERS))


def _put(sheet: Image.Image, picture: Tensor, cell: tuple[int, int], side: int) -> None:
    drawn = to_pil(picture.cpu()).resize((side, side), Image.Resampling.LANCZOS)
    place = GAP + cell[0] * (side + GAP), cell[1] * (LABEL + side + GAP) + LABEL
    sheet.paste(drawn, place)
