"""The pictures a mixture learns from: square crops with their group and target."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.mixture import SIDE
from fixative.target import choose_target, latent_entropy
from fixative.training.crops import CropSampler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MixtureSet:
    """N training pictures and what the recipe needs of them.

    Attributes:
        pictures: (N, 3, 512, 512) uint8.
        group: (N,) index of the nearest centroid.
        target: (N,) index of the target that the entropy picks.
        entropies: (N,) H(E(x)) in bits.
        centroids: (K, C, 64, 64).
        target_latents: (T, C, 64, 64).
        target_entropies: (T,) in bits.
    """

    pictures: Tensor
    group: Tensor
    target: Tensor
    entropies: Tensor
    centroids: Tensor
    target_latents: Tensor
    target_entropies: Tensor


def prepare_set(
    crops: CropSampler,
    codec: Codec,
    targets: Tensor,
    *,
    count: int,
    groups: int = 4,
    seed: int = 0,
    cache: Path | None = None,
    on_encode: Callable[[int, int], None] | None = None,
) -> MixtureSet:
    """Cut, encode, group by k-means++ and route by entropy (FastProtect, before training).

    Args:
        crops: the training pictures.
        codec: whose latents group and route them.
        targets: (T, 3, 512, 512).
        count: N, drawn equally from every kind.
        groups: K.
        seed: of crops and k-means.
        cache: file that keeps the latents, because encoding takes minutes on a CPU.
        on_encode: called with (done, N).
    """
    pictures = _square_crops(crops, count, seed)
    made_of = {"codec": codec.name, "count": count, "seed": seed}
    latents = _encoded(pictures, codec, cache, made_of, on_encode)
    centroids = kmeans_centroids(latents, groups, seed)
    with torch.no_grad():
        target_latents = torch.cat([codec.encode(t[None]) for t in targets]).cpu()
    target_entropies = latent_entropy(target_latents)
    choice = choose_target(latents, target_entropies, ())
    return MixtureSet(
        pictures,
        assign(latents, centroids).group,
        choice.index,
        choice.entropies,
        centroids,
        target_latents,
        target_entropies,
    )


def kmeans_centroids(latents: Tensor, groups: int, seed: int) -> Tensor:
    """k-means++ on flattened latents: (N, C, h, w) → (K, C, h, w)."""
    from sklearn.cluster import KMeans  # noqa: PLC0415 - only needed to train

    anything: Any = KMeans  # its annotations contradict its documentation
    model = anything(groups, init="k-means++", n_init=10, random_state=seed)
    model.fit(latents.flatten(1).double().numpy())
    centres = torch.from_numpy(model.cluster_centers_).float()
    return centres.reshape(groups, *latents.shape[1:])


def _square_crops(crops: CropSampler, count: int, seed: int) -> Tensor:
    """Whole short sides, at 512, equally from every kind, (N, 3, 512, 512) uint8."""
    generator = torch.Generator().manual_seed(seed)
    chosen: list[Tensor] = []
    for i in range(count):
        picture = crops.pick(i, generator)
        side = min(picture.shape[-2:])
        top = int(torch.randint(picture.shape[-2] - side + 1, (), generator=generator))
        left = int(torch.randint(picture.shape[-1] - side + 1, (), generator=generator))
        square = picture[None, :, top : top + side, left : left + side].float()
        square = F.interpolate(square, (SIDE, SIDE), mode="bilinear", antialias=True)
        chosen.append(square[0].round().clamp(0, 255).to(torch.uint8))
    return torch.stack(chosen)


def _encoded(
    pictures: Tensor,
    codec: Codec,
    cache: Path | None,
    made_of: dict[str, Any],
    on_encode: Callable[[int, int], None] | None,
) -> Tensor:
    if cache is not None and cache.exists():
        stored = torch.load(cache, weights_only=True)
        if stored["made_of"] == made_of:
            return stored["latents"]
    latents: list[Tensor] = []
    with torch.no_grad():
        for i, picture in enumerate(pictures):
            latents.append(codec.encode(picture[None].float() / 255).cpu())
            if on_encode is not None:
                on_encode(i + 1, len(pictures))
    together = torch.cat(latents)
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"made_of": made_of, "latents": together}, cache)
    return together
