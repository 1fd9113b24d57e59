"""Training pictures as tar shards (webdataset), of which only a few are in memory at a time.

Which shards a step draws from depends on the step and the seed only, and so does what is drawn: a
training goes on from a checkpoint with the pictures that it would have had, without reading those
before, on any number of processes.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.errors import ImageError
from fixative.training.crops import CropSampler, load_picture, random_crop
from fixative.training.shard_folder import INDEX, KIND, ShardFolder, is_address, webdataset
from fixative.training.splits import training_pictures


class ShardSampler:
    """Draws crops from shards as ``CropSampler`` does from a folder.

    Args:
        folder: of ``pack_shards``, or the address of one (``s3://bucket/shards``).
        hold: how many shards are drawn from at a time; their pictures are in memory.
        turn: after so many steps the oldest of them gives way to the next.
        short_side: larger pictures are shrunk so that their short side is this, in pixels.
        seed: of the shards' order, another one in every round.

    Raises:
        ImageError: no index, or no shard in it.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        hold: int = 2,
        turn: int = 100,
        short_side: int = 640,
        seed: int = 0,
    ) -> None:
        self._folder, self._turn = ShardFolder(folder), turn
        self._short_side, self._seed = short_side, seed
        self._shards = self._folder.index()
        self._hold = min(hold, len(self._shards))
        self._held: dict[int, list[tuple[str, Tensor]]] = {}
        self.seek(0)

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures of each kind there are in all shards."""
        total: Counter[str] = Counter()
        for shard in self._shards:
            total.update(shard["kinds"])
        return dict(sorted(total.items()))

    def seek(self, step: int) -> None:
        """Draw, from now on, from the shards of this step."""
        first = step // self._turn
        self._keep([self._shard_at(first + i) for i in range(self._hold)])

    def pick(self, index: int, generator: torch.Generator) -> Tensor:
        """Picture number ``index``, (3, H, W) uint8, in the shards' own order."""
        del generator
        index %= sum(self.counts.values())
        for number, shard in enumerate(self._shards):
            count = sum(shard["kinds"].values())
            if index < count:
                self._keep([number])
                return self._held[number][index][1]
            index -= count
        raise AssertionError("the index is below the sum of the counts")

    def sample(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Draw (count, 3, size, size) crops in [0, 1] of the shards held, kinds equally often."""
        kinds: dict[str, list[Tensor]] = {}
        for number in sorted(self._held):
            for kind, picture in self._held[number]:
                kinds.setdefault(kind, []).append(picture)
        names = sorted(kinds)
        crops: list[Tensor] = []
        for _ in range(count):
            pictures = kinds[names[_below(len(names), generator)]]
            picture = pictures[_below(len(pictures), generator)]
            crops.append(random_crop(picture, size, generator))
        return torch.stack(crops)

    def _shard_at(self, place: int) -> int:
        """The shard at a place of the endless order: round after round, each shuffled anew."""
        turns, position = divmod(place, len(self._shards))
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + turns)
        return int(torch.randperm(len(self._shards), generator=generator)[position])

    def _keep(self, numbers: list[int]) -> None:
        """Have these shards in memory, and no others."""
        self._held = {number: self._held.get(number) or self._read(number) for number in numbers}

    def _read(self, number: int) -> list[tuple[str, Tensor]]:
        shard = self._shards[number]
        found = [
            (kind, load_picture(io.BytesIO(data), short_side=self._short_side))
            for kind, data in self._folder.records(shard["file"])
        ]
        if len(found) != sum(shard["kinds"].values()):
            raise ImageError(
                f"training shards: {shard['file']} holds {len(found)} pictures, its index says "
                f"{sum(shard['kinds'].values())}; pack the shards again"
            )
        return found


def open_pictures(folder: Path | str, *, seed: int = 0) -> CropSampler | ShardSampler:
    """Training pictures in a folder: shards where it has an index of them, else picture files.

    Args:
        folder: either, or the address of a folder of shards (``s3://bucket/shards``).
        seed: of the shards' order.
    """
    if is_address(folder) or Path(folder, INDEX).is_file():
        return ShardSampler(folder, seed=seed)
    return CropSampler(Path(folder))


def pack_shards(images: Path, out: Path, *, per_shard: int = 256, seed: int = 0) -> int:
    """Write a folder's training pictures as shards, kinds mixed; returns how many shards.

    The index is written last: without it nothing is taken for a set of shards.

    Args:
        images: pictures, one folder a kind; those held out for measuring are left out.
        out: folder of the shards.
        per_shard: pictures a shard.
        seed: of the order.

    Raises:
        ImageError: no pictures, or ``out`` has shards already.
        SettingError: webdataset is not installed.
    """
    kinds = training_pictures(images) if images.is_dir() else {}
    every = [(kind, path) for kind, paths in sorted(kinds.items()) for path in paths]
    if not every:
        raise ImageError(f"training pictures: none found below {images}")
    if (out / INDEX).exists():
        raise ImageError(f"--out: {out} has shards already; give another folder")
    generator = torch.Generator().manual_seed(seed)
    drawn = [every[int(i)] for i in torch.randperm(len(every), generator=generator)]
    out.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, Any]] = []
    for start in range(0, len(drawn), per_shard):
        chosen = drawn[start : start + per_shard]
        name = f"pictures-{len(shards):06d}.tar"
        _write_shard(out / name, chosen, start)
        shards.append({"file": name, "kinds": dict(Counter(kind for kind, _ in chosen))})
    partial = out / f"{INDEX}.partial"
    partial.write_text(json.dumps({"version": 1, "shards": shards}, indent=1), "utf-8")
    os.replace(partial, out / INDEX)
    return len(shards)


def _write_shard(path: Path, chosen: list[tuple[str, Path]], start: int) -> None:
    partial = path.with_suffix(".partial")
    with webdataset().TarWriter(str(partial), mtime=0) as writer:
        for number, (kind, picture) in enumerate(chosen, start):
            ending = picture.suffix.lower().lstrip(".")
            writer.write(
                {"__key__": f"{number:09d}", ending: picture.read_bytes(), KIND: kind.encode()}
            )
    os.replace(partial, path)


def _below(high: int, generator: torch.Generator) -> int:
    return int(torch.randint(high, (), generator=generator))
