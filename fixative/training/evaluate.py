"""How far a mixture pulls pictures, beside random noise of the same budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.mixture import SIDE, Mixture
from fixative.protections.noise import RandomNoise
from fixative.protector import MAP_OFF, Protector, ProtectSettings
from fixative.steps import working_copies
from fixative.training.pictures import PictureSource

#: How many pictures are measured: an encode of 512 × 512 takes seconds in a large autoencoder.
MEASURED = 4


@dataclass(frozen=True)
class Pulls:
    """Mean pull towards the mixture's targets at its η: 1 = reached, 0 = no effect.

    Attributes:
        after: of the mixture.
        before: of the mixture that it began with, or None where it began with nothing.
        noise: of random noise of the same budget.
        pictures: how many were measured.
    """

    after: float
    before: float | None
    noise: float
    pictures: int


def sample_pictures(pictures: PictureSource, *, seed: int = 0, most: int = MEASURED) -> Tensor:
    """A few of the training pictures as 512 × 512 copies, (B, 3, 512, 512) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    count = min(most, sum(pictures.counts.values()))
    chosen: Sequence[Tensor] = [pictures.pick(i, generator) for i in range(count)]
    return torch.cat([working_copies(picture[None].float() / 255) for picture in chosen])


@torch.no_grad()
def measure_pulls(
    mixture: Mixture, codec: Codec, images: Tensor, *, before: Mixture | None = None
) -> Pulls:
    """Protect with mixture, predecessor and noise at the mixture's η, without strength map.

    Args:
        mixture: what was trained.
        codec: of its latent space.
        images: (B, 3, 512, 512) in [0, 1].
        before: the mixture that the training began with.
    """
    assert images.shape[-2:] == (SIDE, SIDE)
    strength = mixture.eta * 255
    settings = ProtectSettings(strength, strength_map=MAP_OFF)
    judge = Protector(codec, mixture, settings)

    def pulled(protected: Tensor) -> float:
        return float(judge.measure_pull(images, protected).mean())

    old = None if before is None else Protector(codec, before, settings).protect(images).image
    return Pulls(
        after=pulled(judge.protect(images).image),
        before=None if old is None else pulled(old),
        noise=pulled(RandomNoise(strength=strength).protect(images).image),
        pictures=len(images),
    )
