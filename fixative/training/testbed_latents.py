"""The testbed's training set: latents of random crops, encoded once and kept in shards."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fixative.codecs import Codec
from fixative.errors import ImageError
from fixative.mimicry.network import RESOLUTION
from fixative.mimicry.vocabulary import NOTHING, Caption
from fixative.training.captions import caption_of
from fixative.training.crops import load_picture, random_crop, step_generator
from fixative.training.distributed import ALONE, Team
from fixative.training.splits import training_pictures

#: Crops a file.
SHARD = 64
#: How often each kind of picture is drawn, relative to the others. Few but whole subjects and one
#: hand's comic pages are what imitations are made of; the rest teaches what pictures look like.
SHARES = {
    "objects": 0.3,
    "cartoons": 0.25,
    "natural": 0.2,
    "faces": 0.08,
    "photos": 0.08,
    "paintings": 0.05,
    "clipart": 0.04,
}


@dataclass(frozen=True)
class LatentSet:
    """Latents and their captions.

    Attributes:
        latents: (N, C, 32, 32) float16.
        captions: N captions.
    """

    latents: Tensor
    captions: tuple[Caption, ...]

    def words(self) -> tuple[str, ...]:
        """Every word of the captions, nothing first."""
        found = {word for caption in self.captions for word in caption} - {NOTHING}
        return (NOTHING, *sorted(found))


def encode_crops(
    images: Path,
    codec: Codec,
    runs: Path,
    *,
    count: int,
    seed: int = 0,
    autocast: bool = False,
    on_shard: Callable[[int, int], None] | None = None,
    team: Team = ALONE,
) -> LatentSet:
    """Encode ``count`` random crops; shards that exist already are only read.

    Args:
        images: pictures, one folder a kind; those held out for measuring are left out.
        codec: whose latents.
        runs: folder of the shards.
        count: how many crops, a multiple of 64.
        seed: of the draw.
        autocast: encode in bfloat16, an error of about 1 % of the latents' spread.
        on_shard: told (shards there, shards).
        team: the processes that share the encoding; all get the same set.

    Raises:
        ImageError: no pictures.
    """
    pictures = training_pictures(images) if images.is_dir() else {}
    if not pictures:
        raise ImageError(f"training pictures: none found below {images}")
    kinds = sorted(pictures)
    weights = torch.tensor([SHARES.get(kind, 0.05) for kind in kinds])
    shards: list[Tensor] = []
    captions: list[Caption] = []

    def shard(number: int) -> tuple[Tensor, list[tuple[str, Path]]]:
        drawn = _draw(pictures, kinds, weights, step_generator(seed, number))
        path = runs / f"latents-{seed}-{number:04d}.safetensors"
        with torch.autocast(codec.device.type, torch.bfloat16, enabled=autocast):
            return _shard(path, drawn, codec, step_generator(seed + 1, number)), drawn

    numbers = range(count // SHARD)
    if team.size > 1:  # each writes its own; below, all of them are only read
        for number in numbers[team.share(len(numbers))]:
            shard(number)
        team.wait()
    for number in numbers:
        latents, drawn = shard(number)
        shards.append(latents)
        captions += [caption_of(path, kind) for kind, path in drawn]
        if on_shard is not None:
            on_shard(number + 1, count // SHARD)
    return LatentSet(torch.cat(shards), tuple(captions))


def _draw(
    pictures: dict[str, list[Path]], kinds: list[str], weights: Tensor, generator: torch.Generator
) -> list[tuple[str, Path]]:
    """Kind and file of every crop of a shard."""
    chosen = torch.multinomial(weights, SHARD, replacement=True, generator=generator).tolist()
    named = [kinds[i] for i in chosen]
    places = torch.rand(SHARD, generator=generator).tolist()
    return [
        (kind, pictures[kind][int(place * len(pictures[kind]))])
        for kind, place in zip(named, places, strict=True)
    ]


@torch.no_grad()
def _shard(
    path: Path, drawn: list[tuple[str, Path]], codec: Codec, generator: torch.Generator
) -> Tensor:
    if path.is_file():
        return load_file(path)["latents"]
    crops = [random_crop(load_picture(file), RESOLUTION, generator) for _, file in drawn]
    latents = torch.cat([codec.encode(crop[None]) for crop in crops]).half().cpu()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({"latents": latents.contiguous()}, partial)
    os.replace(partial, path)
    return latents
