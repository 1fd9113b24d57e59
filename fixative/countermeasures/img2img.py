"""Image to image at low strength (SDEdit, Meng et al. 2022): the model redraws the picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import StepCallback
from fixative.countermeasures.denoised import DenoiserCountermeasure, told_steps
from fixative.mimicry.ancestral import draw
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.sampling import SampleSettings, sample
from fixative.registry import Parameter


class Img2Img(DenoiserCountermeasure):
    """Noise the latents to a level, and let the sampler (DDIM) draw from there without guidance.

    Args:
        codec: with a decoder.
        denoiser: of the codec's family.
        strength: the level to begin at, 0.01 to 1; a host's «denoise».
        steps: of the sampler, from there.
        tile: side of a tile in pixels; None: the denoiser's resolution.
        caption: what the denoiser is told that the picture is.
        out_of_memory: the exceptions that mean it.
        seed: of the noise.

    Raises:
        SettingError: the denoiser is of other latents than the codec.
        FixativeError: a caption that the denoiser has no words for.
    """

    name = "img2img"
    parameters = (
        Parameter("strength", 0.2, 0.01, 1.0, "level of noise to begin at; a host's denoise"),
        Parameter("steps", 10, 1, 1000, "of the sampler, from there"),
    )

    def __init__(
        self,
        codec: Codec,
        denoiser: Denoiser,
        *,
        strength: float = 0.2,
        steps: int = 10,
        tile: int | None = None,
        caption: str = "",
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(
            codec, denoiser, tile=tile, caption=caption, out_of_memory=out_of_memory, seed=seed
        )
        self.strength, self.steps = strength, steps

    def _purified(
        self, latents: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Tensor:
        return sample(
            self._denoiser,
            draw(latents.shape, generator, latents),
            self._condition,
            self._condition,
            SampleSettings(self.steps, guidance=1.0),
            start=latents,
            level=self.strength,
            on_step=told_steps(on_step),
        )

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "strength": self.strength, "steps": self.steps}
