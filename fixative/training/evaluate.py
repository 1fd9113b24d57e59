"""How far a mixture pulls pictures, beside random noise of the same budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.metrics import pull
from fixative.mixture import Mixture
from fixative.protections.base import enforce_budget
from fixative.protections.noise import RandomNoise
from fixative.steps import working_copies
from fixative.target import choose_target
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
    latents = _encoded(codec, images)
    wanted = mixture.target_latents[_targets(mixture, latents)]

    def pulled(protected: Tensor) -> float:
        return float(pull(_encoded(codec, protected), latents, wanted).mean())

    noise = RandomNoise(strength=mixture.eta * 255).protect(images).image
    return Pulls(
        after=pulled(_protected(mixture, mixture.eta, images, latents)),
        before=None if before is None else pulled(_protected(before, mixture.eta, images, latents)),
        noise=pulled(noise),
        pictures=len(images),
    )


def _encoded(codec: Codec, images: Tensor) -> Tensor:
    return torch.cat([codec.encode(image[None]).cpu() for image in images])


def _targets(mixture: Mixture, latents: Tensor) -> Tensor:
    return choose_target(latents, mixture.target_entropies, mixture.target_names).index


def _protected(mixture: Mixture, eta: float, images: Tensor, latents: Tensor) -> Tensor:
    """As ``Protector`` does at strength η without a map, with latents encoded once for all."""
    groups = assign(latents, mixture.centroids).group
    change = mixture.combined(_targets(mixture, latents), groups) * (eta / mixture.eta)
    return enforce_budget(images, change, eta)
