"""GrIDPure (Zhao et al., CVPR 2024, arXiv 2312.00084) in a latent model: a little noise, often."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import StepCallback
from fixative.countermeasures.denoised import THOUSANDTHS, DenoiserCountermeasure, told_steps
from fixative.countermeasures.tiled import TILE
from fixative.mimicry.ancestral import noise_and_denoise
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.space import side_of, windows
from fixative.registry import Parameter

#: How much of a round's input is kept, as published.
KEPT = 0.1


class GridPure(DenoiserCountermeasure):
    """20 rounds of: noise to t = 10 of 1000 and back in overlapping windows, averaged, 0.9 of it.

    x ← 0.9 · mean of the purified windows + 0.1 · x. The original goes over pixels, in windows of
    256 with stride 128, the size of its model. Here the rounds go over latents, in windows of the
    denoiser's size with half of it as stride, and the picture is decoded once, at the end: a trip
    through the decoder in each of 20 rounds would wear it more than the purifying does. The
    windows at the corners are not joined into one more, as the original does.

    Args:
        codec: with a decoder.
        denoiser: of the codec's family.
        rounds: how many; published: 20.
        t: level of the noise in a round, in thousandths of the time; published: 10.
        tile: side in pixels of what is encoded at once; None: 512, or the denoiser's resolution
            if that is more.
        caption: what the denoiser is told that the picture is.
        out_of_memory: the exceptions that mean it.
        seed: of the noise.

    Raises:
        SettingError: the denoiser is of other latents than the codec.
        FixativeError: a caption that the denoiser has no words for.
    """

    name = "gridpure"
    parameters = (
        Parameter("rounds", 20, 1, 1000, "of noise and back"),
        Parameter("t", 10, 1, 999, "level of noise in a round, in thousandths of the time"),
    )

    def __init__(
        self,
        codec: Codec,
        denoiser: Denoiser,
        *,
        rounds: int = 20,
        t: int = 10,
        tile: int | None = None,
        caption: str = "",
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        chosen = max(TILE, denoiser.resolution) if tile is None else tile
        super().__init__(
            codec, denoiser, tile=chosen, caption=caption, out_of_memory=out_of_memory, seed=seed
        )
        self.rounds, self.t = rounds, t
        self._side = side_of(denoiser, codec)

    def _purified(
        self, latents: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Tensor:
        for number in range(self.rounds):
            pure = self._round(latents, number, generator, on_step)
            latents = (1 - KEPT) * pure + KEPT * latents
        return latents

    def _round(
        self,
        latents: Tensor,
        number: int,
        generator: torch.Generator,
        on_step: StepCallback | None,
    ) -> Tensor:
        """The mean of the purified windows of latents (1, C, h, w)."""
        total, counts = torch.zeros_like(latents), torch.zeros_like(latents)
        parts = windows(latents, side=self._side, stride=max(1, self._side // 2))
        for place, part in enumerate(parts):
            before = (number * len(parts) + place) * self.t
            total[(..., *part)] += noise_and_denoise(
                self._denoiser,
                latents[(..., *part)],
                self._condition,
                level=self.t / THOUSANDTHS,
                steps=self.t,
                generator=generator,
                on_step=told_steps(on_step, before=before, total=self.rounds * len(parts) * self.t),
            )
            counts[(..., *part)] += 1
        return total / counts

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "rounds": self.rounds, "t": self.t}
