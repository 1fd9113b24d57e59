"""Countermeasures that see through a network: large pictures in tiles with blended overlap."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import Countermeasure, Outcome, PurifyStep, StepCallback
from fixative.errors import CodecError

#: Side of a tile and what neighbours share, in pixels.
TILE, OVERLAP = 512, 64
#: No smaller tile is tried where memory runs out.
SMALLEST_TILE = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """One tile of a picture.

    Attributes:
        rows: of the picture.
        columns: likewise.
        weight: (height, width) in the blend, above 0; not yet normalised.
    """

    rows: slice
    columns: slice
    weight: Tensor


class TiledCountermeasure(Countermeasure):
    """Goes over a picture tile by tile; a picture that fits one tile is done as a whole.

    Where memory runs out it begins again with tiles of half the side, and the details say so.

    Args:
        tile: side of a tile in pixels, 128 or more.
        out_of_memory: the exceptions that mean it.
        seed: of all randomness.
    """

    def __init__(
        self,
        *,
        tile: int = TILE,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.tile, self._out_of_memory = max(tile, SMALLEST_TILE), out_of_memory

    @abstractmethod
    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        """One tile (1, 3, h, w), as ``_purify``."""

    def _joined(self, details: list[dict[str, Any]]) -> dict[str, Any]:
        """One picture's details from its tiles'."""
        return details[0]

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        side = self.tile
        state = generator.get_state()
        while True:
            try:
                return self._with_tiles(side, image, generator.set_state(state), on_step)
            except self._out_of_memory as error:
                told = str(error).partition("\n")[0]
            side = self._smaller(side, max(image.shape[-2:]), told)

    def _with_tiles(
        self, side: int, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        found: list[dict[str, Any]] = []
        pieces = cut(*image.shape[-2:], side=side, overlap=OVERLAP)

        def work(tile: Tensor) -> Tensor:
            tell = _within(on_step, len(found), len(pieces))
            done, facts = self._purify_tile(tile, generator, tell)
            found.append(facts)
            return done

        blended = blend(image, pieces, work)
        return blended, {**self._joined(found), "tiles": len(pieces)}

    def _smaller(self, side: int, longest: int, told: str) -> int:
        # A tile that still holds the whole picture would fail again.
        smaller = min(side, longest - 1) // 2 // 8 * 8
        if smaller < SMALLEST_TILE:
            raise CodecError(
                f"countermeasure {self.name}: out of memory (tiles of {side} px): {told}. Close "
                "other programs, unload other models or use smaller pictures"
            )
        log.warning("%s: out of memory; went on with tiles of %d px", self.name, smaller)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return smaller


def cut(height: int, width: int, *, side: int, overlap: int) -> list[Piece]:
    """Tiles that cover a picture; all of one size, neighbours sharing ``overlap`` or more.

    Args:
        height: of the picture.
        width: likewise.
        side: of a tile, above twice the overlap.
        overlap: in pixels; the weights rise linearly over it.
    """
    columns = _spans(width, side, overlap)
    return [
        Piece(rows, across, down_weight[:, None] * across_weight)
        for rows, down_weight in _spans(height, side, overlap)
        for across, across_weight in columns
    ]


def blend(image: Tensor, pieces: list[Piece], work: Callable[[Tensor], Tensor]) -> Tensor:
    """Do ``work`` on each piece of (1, 3, H, W) and blend what comes back, of the same size."""
    if len(pieces) == 1:
        return work(image)
    total = torch.zeros_like(image)
    weights = torch.zeros_like(image[0, 0])
    for piece in pieces:
        weight = piece.weight.to(image)
        done = work(image[..., piece.rows, piece.columns].clone())
        total[..., piece.rows, piece.columns] += weight * done.to(image)
        weights[piece.rows, piece.columns] += weight
    return total / weights


def _spans(length: int, side: int, overlap: int) -> list[tuple[slice, Tensor]]:
    """Evenly spread along one axis, with weights that fall towards neighbours."""
    if length <= side:
        return [(slice(0, length), torch.ones(length))]
    count = -(-(length - overlap) // (side - overlap))
    ramp = (torch.arange(side) + 1).clamp(max=overlap) / overlap
    found: list[tuple[slice, Tensor]] = []
    for number in range(count):
        first = round(number * (length - side) / (count - 1))
        rising = ramp if number else torch.ones(side)
        falling = ramp.flip(0) if number < count - 1 else torch.ones(side)
        found.append((slice(first, first + side), torch.minimum(rising, falling)))
    return found


def _within(on_step: StepCallback | None, tile: int, tiles: int) -> StepCallback | None:
    """Tell of a tile's steps as of the picture's."""
    if on_step is None:
        return None

    def tell(step: PurifyStep) -> None:
        done = tile * step.steps + step.step
        on_step(replace(step, step=done, steps=tiles * step.steps))

    return tell
