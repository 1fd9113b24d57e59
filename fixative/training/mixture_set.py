"""The pictures a mixture learns from: square crops with their group and target."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.mixture import SIDE
from fixative.target import choose_target, latent_entropy
from fixative.training.distributed import ALONE, SHARED_FOLDER, Team
from fixative.training.pictures import PictureSource

#: k-means runs, and steps of each: as tight as the ten runs of scikit-learn, which begin better.
RESTARTS, ITERATIONS = 40, 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MixtureSet:
    """N training pictures and what the recipe needs of them.

    Attributes:
        pictures: (N, 3, 512, 512) uint8.
        group: (N,) index of the nearest centroid.
        target: (N,) index of the target that the entropy picks.
        entropies: (N,) H(E(x)) in bits.
        centroids: (K, C, h, w).
        target_latents: (T, C, h, w).
        target_entropies: (T,) in bits.
    """

    pictures: Tensor
    group: Tensor
    target: Tensor
    entropies: Tensor
    centroids: Tensor
    target_latents: Tensor
    target_entropies: Tensor


@dataclass(frozen=True)
class Crop:
    """One picture's part in a step: which picture, target and group, and where."""

    picture: int
    target: int
    group: int
    top: int
    left: int


def prepare_set(
    source: PictureSource,
    codec: Codec,
    targets: Tensor,
    *,
    count: int,
    groups: int = 4,
    seed: int = 0,
    centroids: Tensor | None = None,
    cache: Path | None = None,
    made_of: Mapping[str, Any] | None = None,
    on_encode: Callable[[int, int], None] | None = None,
    team: Team = ALONE,
) -> MixtureSet:
    """Cut, encode, group by k-means++ and route by entropy (FastProtect, before training).

    Args:
        source: the training pictures.
        codec: whose latents group and route them.
        targets: (T, 3, 512, 512).
        count: N, drawn equally from every kind.
        groups: K.
        seed: of crops and k-means.
        centroids: (K, C, h, w) of groups found before; None finds new ones.
        cache: file that keeps the latents, because encoding takes minutes on a CPU.
        made_of: what else kept latents must agree with, JSON types only.
        on_encode: called with (done, N).
        team: the processes that share the encoding; all get the same set.
    """
    pictures = _square_crops(source, count, seed)
    key = {"codec": codec.name, "count": count, "seed": seed, **(made_of or {})}
    latents = _encoded(pictures, codec, cache, key, on_encode, team)
    if centroids is None:
        centroids = team.agreed(kmeans_centroids(latents, groups, seed))
    with torch.no_grad():
        target_latents = torch.cat([codec.encode(t[None]) for t in targets]).cpu()
        target_latents = team.agreed(target_latents)
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
    """k-means++ on flattened latents, the best of forty: (N, C, h, w) → (K, C, h, w).

    It runs on the N coordinates that the latents span, which keeps every distance. Where there are
    fewer different pictures than groups, what is left over is put at the mean of all.

    Raises:
        SettingError: scipy is not installed.
    """
    points = latents.flatten(1).double()
    centred = points - points.mean(0)
    basis, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    coordinates = (basis * sizes).numpy()
    generator = np.random.default_rng(seed)
    labels = min((_kmeans(coordinates, groups, generator) for _ in range(RESTARTS)), key=_first)[1]
    members = F.one_hot(torch.from_numpy(labels).long(), groups).double()
    counts = members.sum(0)
    sums = members.T @ centred
    centres = sums / counts.clamp_min(1)[:, None] + points.mean(0)
    return centres.float().reshape(groups, *latents.shape[1:])


def _kmeans(points: Any, groups: int, generator: np.random.Generator) -> tuple[float, Any]:
    """One run: the sum of squared distances to the centres, and each point's label."""
    try:
        from scipy.cluster.vq import kmeans2  # noqa: PLC0415 - only needed to train
    except ImportError as error:
        raise SettingError(
            "training: grouping the pictures needs scipy; pip install scipy"
        ) from error
    anything: Any = kmeans2  # newer versions call the generator otherwise
    keyword = "rng" if "rng" in inspect.signature(kmeans2).parameters else "seed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty groups: they are dealt with
        centres, labels = anything(
            points, groups, iter=ITERATIONS, minit="++", **{keyword: generator}
        )
    return float(np.square(points - centres[labels]).sum()), labels


def _first(pair: tuple[float, Any]) -> float:
    return pair[0]


def _square_crops(source: PictureSource, count: int, seed: int) -> Tensor:
    """Whole short sides, at 512, equally from every kind, (N, 3, 512, 512) uint8."""
    generator = torch.Generator().manual_seed(seed)
    chosen: list[Tensor] = []
    for i in range(count):
        picture = source.pick(i, generator)
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
    team: Team,
) -> Tensor:
    kept = _kept(cache, made_of)
    team.same_everywhere(int(kept is not None), "kept latents", SHARED_FOLDER)
    if kept is not None:
        return kept
    together = team.gathered(
        _encoded_one_by_one(pictures[team.share(len(pictures))], codec, on_encode), len(pictures)
    )
    if cache is not None and team.main:
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"made_of": made_of, "latents": together}, cache)
    return together


def _kept(cache: Path | None, made_of: dict[str, Any]) -> Tensor | None:
    """The latents in the file, if it is there and of the same pictures."""
    if cache is None or not cache.exists():
        return None
    stored = torch.load(cache, weights_only=True)
    return stored["latents"] if stored["made_of"] == made_of else None


def _encoded_one_by_one(
    pictures: Tensor, codec: Codec, on_encode: Callable[[int, int], None] | None
) -> Tensor:
    latents: list[Tensor] = []
    with torch.no_grad():
        for i, picture in enumerate(pictures):
            latents.append(codec.encode(picture[None].float() / 255).cpu())
            if on_encode is not None:
                on_encode(i + 1, len(pictures))
    return torch.cat(latents)
