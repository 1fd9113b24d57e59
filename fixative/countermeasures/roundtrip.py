"""One pass through the autoencoder, which forgets what it cannot express."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import Need, Outcome, StepCallback
from fixative.countermeasures.tiled import TILE, TiledCountermeasure


class RoundTrip(TiledCountermeasure):
    """x → D(E(x)).

    Args:
        codec: with a decoder.
        tile: side of a tile in pixels.
        out_of_memory: the exceptions that mean it.
        seed: unused, since nothing is random.
    """

    name = "roundtrip"
    needs = Need.CODEC
    resources = ("codec",)

    def __init__(
        self,
        codec: Codec,
        *,
        tile: int = TILE,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(tile=tile, out_of_memory=out_of_memory, seed=seed)
        self._codec = codec

    @torch.no_grad()
    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        again = self._codec.reconstruct(tile).to(tile)
        return again.clamp(0, 1), {"codec": self._codec.name}
