"""Rows of pictures under labels, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .convert import to_pil

GAP, MOST_WIDTH = 6, 2048
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
    cells = _Cells(max(16, min(side, (MOST_WIDTH - GAP) // longest - GAP)))
    widest = max(cells.width_of(label) for label, _ in rows)
    sheet = cells.paper(longest, len(rows), at_least=widest)
    for row, (label, pictures) in enumerate(rows):
        cells.write(sheet, label, (0, row))
        for column, picture in enumerate(pictures):
            cells.put(sheet, picture, (column, row))
    return sheet


def labelled_columns(columns: Sequence[tuple[str, Tensor]], *, side: int) -> Image.Image:
    """One row of pictures (3, h, w) in [0, 1] of ``side`` pixels, a label above each."""
    cells = _Cells(side)
    sheet = cells.paper(len(columns), 1)
    for column, (label, picture) in enumerate(columns):
        cells.write(sheet, label, (column, 0))
        cells.put(sheet, picture, (column, 0))
    return sheet


@dataclass(frozen=True)
class _Cells:
    """Where everything goes.

    Attributes:
        side: of a picture in pixels.
    """

    side: int

    @property
    def letters(self) -> int:
        """Their size, to be read where the sheet is shown smaller."""
        return max(14, self.side // 10)

    @property
    def height(self) -> int:
        """Of a cell with its label and gap."""
        return self.letters + 8 + self.side + GAP

    def width_of(self, label: str) -> int:
        """What a label needs."""
        return round(ImageFont.load_default(self.letters).getlength(label)) + 2 * GAP

    def paper(self, columns: int, rows: int, *, at_least: int = 0) -> Image.Image:
        """An empty sheet."""
        width = max(GAP + columns * (self.side + GAP), at_least)
        return Image.new("RGB", (width, rows * self.height), PAPER)

    def write(self, sheet: Image.Image, label: str, cell: tuple[int, int]) -> None:
        """A label, from the left edge of a cell (column, row) on."""
        place = GAP + cell[0] * (self.side + GAP), cell[1] * self.height + 2
        font = ImageFont.load_default(self.letters)
        ImageDraw.Draw(sheet).text(place, label, fill=INK, font=font)

    def put(self, sheet: Image.Image, picture: Tensor, cell: tuple[int, int]) -> None:
        """A picture into a cell, below its label."""
        drawn = to_pil(picture.cpu()).resize((self.side, self.side), Image.Resampling.LANCZOS)
        top = cell[1] * self.height + self.letters + 8
        sheet.paste(drawn, (GAP + cell[0] * (self.side + GAP), top))
