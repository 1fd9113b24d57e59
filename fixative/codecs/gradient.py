"""Gradients of a latent distance for pictures of any size, within the memory there is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.recompute import recomputing
from fixative.codecs.tiles import Tile, tiles
from fixative.errors import CodecError
from fixative.images import pad_to_multiple

#: Pictures of more pixels than this are cut into tiles from the start.
WHOLE_PIXELS = 768 * 768
#: What says that a device's memory ran out; a host adds its own.
OUT_OF_MEMORY: tuple[type[BaseException], ...] = (torch.cuda.OutOfMemoryError,)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """One way to compute a gradient, on the ladder from fast to frugal.

    Attributes:
        recompute: run blocks twice instead of keeping their activations.
        side: of a tile without its halo, in pixels; None: the picture as a whole.
        halo: what a tile sees around it, in pixels. A KL encoder's attention and normalisation
            see the tile only, a purely convolutional one is exact from its reach on (TAESD: 145).
    """

    recompute: bool
    side: int | None = None
    halo: int = 0

    def __str__(self) -> str:
        whole = "whole picture" if self.side is None else f"tiles of {self.side} px"
        return f"{whole}, activations recomputed" if self.recompute else whole


LADDER = (
    Rung(False),
    Rung(True),
    Rung(True, 512, 128),
    Rung(True, 256, 128),
    Rung(True, 128, 64),
)


class LatentGradient:
    """∇ₓ ‖E(x) − z‖², and E(x) with it; steps down the ladder where memory runs out.

    With β it is ∇ₓ of n · (mean (E(x) − z)² + β · mean (D(E(x)) − x)²), n the number of latent
    values and the second term on [−1, 1]: IMPRESS's adaptive protections (Cao et al. 2023).

    Args:
        codec: the encoder, with gradients; with a decoder, too, for β.
        out_of_memory: the exceptions that mean it; anything else is raised as it is.
        ladder: the ways to try, from fast to frugal.
        consistency: β; 0 leaves the term out.

    Attributes:
        steps_down: each step down as a sentence, in order.
        way: how the last call went.
        inconsistency: mean (D(E(x)) − x)² on [−1, 1] of the last call with a gradient; None
            without β.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        ladder: Sequence[Rung] = LADDER,
        consistency: float = 0.0,
    ) -> None:
        self._codec, self._out_of_memory = codec, out_of_memory
        self._ladder = [rung for rung in ladder if self._differs(rung)] or list(ladder[:1])
        self._number = 0
        self.steps_down: list[str] = []
        self.way = ""
        self._beta = consistency
        self.inconsistency: float | None = None

    def __call__(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and gradient, also inside ``inference_mode``.

        Args:
            images: (B, 3, H, W) in [0, 1].
            target: (B or 1, C, h or 1, w or 1), z on the pictures' latent grid.

        Returns:
            (B, C, ⌈H/f⌉, ⌈W/f⌉), detached, and (B, 3, H, W), both on the pictures' device.

        Raises:
            CodecError: out of memory on the last rung, too.
        """
        latents, gradient = self._run(images, target)
        assert gradient is not None
        return latents, gradient

    def encode(self, images: Tensor) -> Tensor:
        """The latents alone, by the same rung."""
        return self._run(images, None)[0]

    def pull_back(self, images: Tensor, slope: Tensor) -> Tensor:
        """∇ₓ ⟨E(x), slope⟩: a slope on the latents brought back to the pictures.

        Args:
            images: (B, 3, H, W) in [0, 1].
            slope: (B, C, ⌈H/f⌉, ⌈W/f⌉).

        Returns:
            (B, 3, H, W) on the pictures' device.

        Raises:
            CodecError: out of memory on the last rung, too.
        """
        gradient = self._run(images, slope, linear=True)[1]
        assert gradient is not None
        return gradient

    def _run(
        self, images: Tensor, target: Tensor | None, *, linear: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        while True:
            self._number = max(self._number, self._first_for(images))
            rung = self._ladder[self._number]
            try:
                with torch.inference_mode(False), torch.set_grad_enabled(target is not None):
                    result = self._by(rung, images.detach().clone(), target, linear)
                self.way = str(rung)
                return result
            except self._out_of_memory as error:
                told = str(error).partition("\n")[0]
            self._step_down(images, told)  # outside, or the error would keep the tensors alive

    def _by(
        self, rung: Rung, images: Tensor, target: Tensor | None, linear: bool
    ) -> tuple[Tensor, Tensor | None]:
        f = self._codec.downscale
        images.requires_grad_(target is not None)
        padded = pad_to_multiple(images, f)
        count, _, height, width = padded.shape
        cells = (count, self._codec.latent_channels, height // f, width // f)
        latents = images.new_empty(cells, requires_grad=False)
        goal = None if target is None else target.detach().clone().to(images).expand(cells)
        slope = torch.zeros_like(padded)
        blocks = self._codec.recomputable_blocks() if rung.recompute else ()
        with recomputing(blocks):
            left = 0.0
            for tile in tiles(height, width, side=rung.side, halo=rung.halo, downscale=f):
                left += self._add(tile, padded.detach(), goal, latents, slope, linear)
        if goal is not None and self._beta:
            self.inconsistency = 4 * left / padded.numel()
        if target is None:
            return latents, None
        (gradient,) = torch.autograd.grad(padded, images, slope)  # what was padded counts, too
        return latents, gradient

    def _add(
        self,
        tile: Tile,
        padded: Tensor,
        goal: Tensor | None,
        latents: Tensor,
        slope: Tensor,
        linear: bool,
    ) -> float:
        """Put one tile's latents and gradient where they belong; its round trip's error."""
        piece = padded[(..., *tile.pixels)].clone().requires_grad_(goal is not None)
        whole = self._codec.encode(piece)
        found = whole[(..., *tile.own)].to(latents)
        latents[(..., *tile.cells)] = found.detach()
        if goal is None:
            return 0.0
        there = goal[(..., *tile.cells)]
        loss = (found * there).sum() if linear else (found - there).square().sum()
        left = 0.0
        if self._beta:
            error = self._round_trip_error(tile, piece, whole)
            loss = loss + self._beta * 4 * latents.numel() / padded.numel() * error
            left = error.item()
        slope[(..., *tile.pixels)] += torch.autograd.grad(loss, piece)[0]
        return left

    def _round_trip_error(self, tile: Tile, piece: Tensor, latents: Tensor) -> Tensor:
        """Σ (D(E(x)) − x)² over the pixels that the tile is responsible for, on [0, 1]."""
        again = self._codec.decode_unclamped(latents).to(piece)
        return (again - piece)[(..., *tile.own_pixels)].square().sum()

    def _first_for(self, images: Tensor) -> int:
        if images.shape[-2] * images.shape[-1] <= WHOLE_PIXELS:
            return 0
        tiled = (n for n, rung in enumerate(self._ladder) if rung.side is not None)
        return next(tiled, len(self._ladder) - 1)

    def _step_down(self, images: Tensor, told: str) -> None:
        before, longest = self._ladder[self._number], max(images.shape[-2:])
        # A tile that holds the whole picture would fail again.
        frugal = (
            number
            for number in range(self._number + 1, len(self._ladder))
            if (side := self._ladder[number].side) is None or side < longest
        )
        number = next(frugal, None)
        if number is None:
            raise CodecError(
                f"vae: out of memory ({before}): {told}. Close other programs, unload other "
                "models or use smaller pictures"
            )
        self._number = number
        self.steps_down.append(f"out of memory ({before}); went on with {self._ladder[number]}")
        logger.warning("Fixative: %s", self.steps_down[-1])
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _differs(self, rung: Rung) -> bool:
        """Whether a rung saves anything with this codec."""
        return (
            rung.side is not None or not rung.recompute or bool(self._codec.recomputable_blocks())
        )
