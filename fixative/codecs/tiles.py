"""Pictures in overlapping pieces, each responsible for its own part of the latents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One piece of a picture.

    Attributes:
        pixels: (rows, columns) of the piece with its halo, in the picture.
        cells: (rows, columns) of the latents it is responsible for, in the picture's latents.
        own: the same cells in the latents of the piece.
        own_pixels: the pixels that those cells span, in the piece.
    """

    pixels: tuple[slice, slice]
    cells: tuple[slice, slice]
    own: tuple[slice, slice]
    own_pixels: tuple[slice, slice]


def tiles(
    height: int, width: int, *, side: int | None, halo: int, downscale: int
) -> Iterator[Tile]:
    """Cut a picture so that every latent cell belongs to exactly one piece.

    Args:
        height: of the picture, a multiple of ``downscale``.
        width: likewise.
        side: of a piece without its halo, in pixels; None: one piece, the picture.
        halo: what a piece sees beyond it on each side, in pixels.
        downscale: pixels a latent cell spans.
    """
    for rows in _spans(height // downscale, side, halo, downscale):
        for columns in _spans(width // downscale, side, halo, downscale):
            pixels, cells, own = zip(rows, columns, strict=True)
            yield Tile(pixels, cells, own, (_pixels(own[0], downscale), _pixels(own[1], downscale)))


def _pixels(cells: slice, downscale: int) -> slice:
    return slice(cells.start * downscale, cells.stop * downscale)


def _spans(
    cells: int, side: int | None, halo: int, downscale: int
) -> Iterator[tuple[slice, slice, slice]]:
    """Along one axis of so many cells: pixels, cells, and those cells within the piece."""
    stride = cells if side is None else max(1, side // downscale)
    margin = -(-halo // downscale)
    for first in range(0, cells, stride):
        last = min(first + stride, cells)
        begin, end = max(0, first - margin), min(cells, last + margin)
        pixels = slice(begin * downscale, end * downscale)
        yield pixels, slice(first, last), slice(first - begin, last - begin)
