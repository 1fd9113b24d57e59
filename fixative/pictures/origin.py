"""Which picture file a protected picture was made from, and what is left of its protection."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fixative.pictures.picture import Picture, Pixels

#: No protection changes a colour value by more levels than this (MAX_STRENGTH).
LARGEST_CHANGE = 32


def find_origin(pixels: Pixels, candidates: Iterable[Picture]) -> Picture | None:
    """The candidate that ``pixels`` can be a protected copy of; the nearest, if several can.

    A copy has its origin's size, and no colour value further from it than a protection goes: two
    different pictures are never that close everywhere.

    Args:
        pixels: (H, W, 3) uint8.
        candidates: pictures that were at hand when it was made.
    """
    distances = [(_mean_change(pixels, other), other) for other in candidates]
    near = [(distance, other) for distance, other in distances if distance is not None]
    return min(near, key=lambda pair: pair[0])[1] if near else None


def change_left(before: Pixels, meant: Pixels, saved: Pixels) -> float | None:
    """How much of a protection's change a lossy file still holds.

    Args:
        before: (H, W, 3) uint8, the original.
        meant: the protected picture, as it was to be saved.
        saved: as read back from the file.

    Returns:
        The saved change projected on the meant one: 1 = all, 0 = nothing of it; None if nothing
        was meant to change.
    """
    wanted = meant.astype(np.float64) - before
    energy = float((wanted**2).sum())
    return float(((saved - before.astype(np.float64)) * wanted).sum()) / energy if energy else None


def _mean_change(pixels: Pixels, other: Picture) -> float | None:
    if pixels.shape != other.pixels.shape:
        return None
    change = np.abs(pixels.astype(np.int16) - other.pixels)
    return float(change.mean()) if change.max() <= LARGEST_CHANGE else None
