"""DiffPure (Nie et al., ICML 2022, arXiv 2205.07460) in latents: drown it, and undrown it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import StepCallback
from fixative.countermeasures.denoised import THOUSANDTHS, DenoiserCountermeasure, told_steps
from fixative.mimicry.ancestral import noise_and_denoise
from fixative.mimicry.denoiser import Denoiser
from fixative.registry import Parameter


class DiffPure(DenoiserCountermeasure):
    """Noise to t = 100 of 1000, then the reverse process with its noise, a thousandth a step.

    Where img2img's sampler is deterministic, this one draws: what the noise has drowned is not
    found again but made up. The original denoises pixels with a model of its own; here are the
    latents of the model that an imitator has.

    Args:
        codec: with a decoder.
        denoiser: of the codec's family.
        t: level of the noise, in thousandths of the time; published: 100.
        tile: side of a tile in pixels; None: the denoiser's resolution.
        caption: what the denoiser is told that the picture is.
        out_of_memory: the exceptions that mean it.
        seed: of the noise.

    Raises:
        SettingError: the denoiser is of other latents than the codec.
        FixativeError: a caption that the denoiser has no words for.
    """

    name = "diffpure"
    parameters = (Parameter("t", 100, 1, 999, "level of noise, in thousandths of the time"),)

    def __init__(
        self,
        codec: Codec,
        denoiser: Denoiser,
        *,
        t: int = 100,
        tile: int | None = None,
        caption: str = "",
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(
            codec, denoiser, tile=tile, caption=caption, out_of_memory=out_of_memory, seed=seed
        )
        self.t = t

    def _purified(
        self, latents: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Tensor:
        return noise_and_denoise(
            self._denoiser,
            latents,
            self._condition,
            level=self.t / THOUSANDTHS,
            steps=self.t,
            generator=generator,
            on_step=told_steps(on_step),
        )

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "t": self.t}
