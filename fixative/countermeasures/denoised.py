"""What img2img, DiffPure and GrIDPure share: pictures go through a denoiser's latents."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import Need, Outcome, PurifyStep, StepCallback
from fixative.countermeasures.tiled import TiledCountermeasure
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.sampling import OnSample
from fixative.mimicry.space import require_same_space

#: Times are counted in thousandths of the way to noise alone, as most models were trained.
THOUSANDTHS = 1000


class DenoiserCountermeasure(TiledCountermeasure):
    """E(x), something with a denoiser, D: on the tiles that the denoiser was trained for.

    Args:
        codec: with a decoder.
        denoiser: of the codec's family.
        tile: side of a tile in pixels; None: the denoiser's resolution.
        caption: what the denoiser is told that the picture is.
        out_of_memory: the exceptions that mean it.
        seed: of all noise.

    Raises:
        SettingError: the denoiser is of other latents than the codec.
        FixativeError: a caption that the denoiser has no words for.
    """

    needs = Need.DENOISER
    resources = ("codec", "denoiser")

    def __init__(
        self,
        codec: Codec,
        denoiser: Denoiser,
        *,
        tile: int | None = None,
        caption: str = "",
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        chosen = denoiser.resolution if tile is None else tile
        super().__init__(tile=chosen, out_of_memory=out_of_memory, seed=seed)
        require_same_space(denoiser, codec)
        self._codec, self._denoiser = codec, denoiser
        with torch.inference_mode(False), torch.no_grad():
            self._condition: Condition = denoiser.condition([caption])

    @torch.no_grad()
    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        latents = self._codec.encode(tile).to(self._denoiser.device)
        found = self._purified(latents, generator, on_step)
        again = self._codec.decode_unclamped(found.to(self._codec.device))
        image = again[..., : tile.shape[-2], : tile.shape[-1]].to(tile)
        return image.clamp(0, 1), self._facts()

    @abstractmethod
    def _purified(
        self, latents: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Tensor:
        """Latents (1, C, h, w) of a tile, on the denoiser's device, to others of that form."""

    def _facts(self) -> dict[str, Any]:
        return {"codec": self._codec.name, "denoiser": self._denoiser.name}


def told_steps(on_step: StepCallback | None, *, before: int = 0, total: int = 0) -> OnSample | None:
    """Tell of a sampler's steps as of the tile's.

    Args:
        on_step: whom.
        before: steps that were made before this sampler's.
        total: of all; 0: this sampler's.
    """
    if on_step is None:
        return None

    def tell(step: int, steps: int, clean: Tensor) -> None:
        del clean
        on_step(PurifyStep(0, before + step, total or steps, {}))

    return tell
