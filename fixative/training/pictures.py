"""A person's own pictures to train a mixture on: a batch from a graph, a folder, or both.

Unlike the project's training folder, which ``CropSampler`` reads, nothing is held out: the names
of a stranger's files mean nothing to us, and a mixture of few pictures needs them all. What is
measured on them afterwards is therefore said to be of the training pictures.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from fixative.errors import ImageError
from fixative.images import resize
from fixative.pictures import PICTURE_SUFFIXES, read_picture
from fixative.pictures.naming import shown

#: Larger pictures are shrunk so that their short side is this, in pixels.
SHORT_SIDE = 640
#: Kind of pictures that lie in no sub-folder.
LOOSE = "pictures"

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class PictureSource(Protocol):
    """Where a mixture's training pictures come from."""

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures of each kind there are."""
        ...

    def pick(self, index: int, generator: torch.Generator) -> Tensor:
        """Picture number ``index`` of a training set, (3, H, W) uint8, kinds in turn."""
        ...


@dataclass(frozen=True)
class PictureList:
    """Pictures in memory, each used once, kinds in turn.

    Attributes:
        pictures: (3, H, W) uint8 by kind; no kind is empty.
        unreadable: a line for every file that could not be read.
        left_out: how many pictures more there were than asked for.
    """

    pictures: Mapping[str, Sequence[Tensor]]
    unreadable: tuple[str, ...] = field(default=())
    left_out: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures of each kind there are."""
        return {kind: len(found) for kind, found in self.pictures.items()}

    def __len__(self) -> int:
        return sum(self.counts.values())

    def pick(self, index: int, generator: torch.Generator) -> Tensor:
        """Picture number ``index``; from the first again after the last."""
        del generator
        return in_turn(self.pictures)[index % len(self)]

    def digest(self) -> str:
        """A hash of every pixel and of the order."""
        found = hashlib.sha256()
        for picture in in_turn(self.pictures):
            found.update(str(tuple(picture.shape)).encode())
            found.update(picture.contiguous().numpy().tobytes())
        return found.hexdigest()

    def joined(self, other: PictureList) -> PictureList:
        """This list and another one as one."""
        together = {
            kind: [*self.pictures.get(kind, ()), *other.pictures.get(kind, ())]
            for kind in sorted({*self.pictures, *other.pictures})
        }
        skipped = (*self.unreadable, *other.unreadable)
        return PictureList(together, skipped, self.left_out + other.left_out)


def list_images(images: Tensor, *, kind: str = "images") -> PictureList:
    """Pictures of a batch (B, 3, H, W) in [0, 1]."""
    levels = (small(images) * 255).round().clamp(0, 255).to(torch.uint8)
    return PictureList({kind: list(levels)})


def read_folder(folder: Path, *, most: int, seed: int = 0) -> PictureList:
    """Read a folder's pictures, sub-folders as kinds; of too many, a draw of every kind.

    Args:
        folder: with pictures in it, in sub-folders, or both.
        most: how many to read at the most.
        seed: of the draw.

    Raises:
        ImageError: no folder, or no readable picture in it.
    """
    if not folder.is_dir():
        raise ImageError(
            f"folder: {shown(folder)} is no folder; give one with pictures in it, by its whole "
            "path or as it is called in the host's input folder"
        )
    files = in_turn(_drawn(folder_pictures(folder), seed))
    found: dict[str, list[Tensor]] = {}
    unreadable: list[str] = []
    for path in files:
        if sum(map(len, found.values())) == most:
            break
        try:
            picture = read_picture(path).images()
        except ImageError as error:
            log.warning("training pictures: left out: %s", error)
            unreadable.append(str(error))
            continue
        found.setdefault(kind_of(path, folder), []).extend(list_images(picture).pictures["images"])
    if not found:
        raise ImageError(_nothing_found(folder, len(files), unreadable))
    left_out = len(files) - len(unreadable) - sum(map(len, found.values()))
    return PictureList({kind: found[kind] for kind in sorted(found)}, tuple(unreadable), left_out)


def folder_pictures(folder: Path) -> dict[str, list[Path]]:
    """The picture files below a folder, sorted, by kind."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            kinds.setdefault(kind_of(path, folder), []).append(path)
    return kinds


def kind_of(path: Path, folder: Path) -> str:
    """The first-level sub-folder that a file lies in."""
    parts = path.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else LOOSE


def in_turn(kinds: Mapping[str, Sequence[Item]]) -> list[Item]:
    """The first of every kind, the second of every kind, and so on."""
    longest = max(map(len, kinds.values()), default=0)
    return [kind[i] for i in range(longest) for kind in kinds.values() if i < len(kind)]


def small(images: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) with a short side of 640 pixels at the most."""
    height, width = images.shape[-2:]
    scale = min(1.0, SHORT_SIDE / min(height, width))
    return resize(images.float(), max(1, round(height * scale)), max(1, round(width * scale)))


def _drawn(kinds: dict[str, list[Path]], seed: int) -> dict[str, list[Path]]:
    generator = torch.Generator().manual_seed(seed)
    return {
        kind: [paths[int(i)] for i in torch.randperm(len(paths), generator=generator)]
        for kind, paths in kinds.items()
    }


def _nothing_found(folder: Path, files: int, unreadable: list[str]) -> str:
    if not files:
        return f"folder: {shown(folder)} has no pictures in it; put some there, or name another"
    return (
        f"folder: none of the {files} pictures in {shown(folder)} can be read; "
        f"the first: {unreadable[0]}"
    )
