"""Pictures before and after a protection, to learn from what it does."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fixative.errors import ImageError
from fixative.images import check_images
from fixative.pictures import PICTURE_SUFFIXES, read_picture
from fixative.pictures.naming import shown

#: Files are read up to this number; more teach little and cost memory.
MOST_PAIRS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """One picture before and after.

    Attributes:
        clean: (3, H, W) uint8.
        protected: likewise.
    """

    clean: Tensor
    protected: Tensor

    def images(self) -> tuple[Tensor, Tensor]:
        """Both as (1, 3, H, W) float32 in [0, 1]."""
        return self.clean[None].float() / 255, self.protected[None].float() / 255


def pair_images(
    clean: Sequence[Tensor] | Tensor, protected: Sequence[Tensor] | Tensor
) -> list[Pair]:
    """Pairs of pictures in memory.

    Args:
        clean: pictures (3, H, W) in [0, 1], of any sizes.
        protected: as many, each of its partner's size.

    Raises:
        ImageError: different numbers or sizes, or not pictures.
    """
    if len(clean) != len(protected):
        raise ImageError(
            f"pairs: expected as many protected as clean, {len(clean)}; got {len(protected)}"
        )
    pairs = [
        _pair(a, b, f"pair {i + 1}") for i, (a, b) in enumerate(zip(clean, protected, strict=True))
    ]
    return _some(pairs, "pairs: there are none; give pictures")


def read_pairs(clean: Path, protected: Path, *, most: int = MOST_PAIRS) -> list[Pair]:
    """Pairs of files of the same name (whatever the suffix) in two folders, sub-folders too.

    Args:
        clean: folder of the originals.
        protected: folder of their protected copies, as ``fixative protect`` writes them.
        most: how many to read at the most.

    Raises:
        ImageError: no such folder, no pair, an unreadable picture, or a pair of two sizes.
    """
    originals = _by_name(clean)
    both = [
        (originals[name], path) for name, path in _by_name(protected).items() if name in originals
    ]
    log.info("pairs: %d of %d originals", len(both), len(originals))
    pairs = [_read(before, after) for before, after in both[:most]]
    return _some(
        pairs,
        f"pairs: no picture in {shown(protected)} has the name of one in {shown(clean)}; give the "
        "folder of the originals and that of their protected copies",
    )


def digest(pairs: Sequence[Pair]) -> str:
    """A hash of every pixel and of the order."""
    found = hashlib.sha256()
    for pair in pairs:
        found.update(str(tuple(pair.clean.shape)).encode())
        for picture in (pair.clean, pair.protected):
            found.update(picture.contiguous().numpy().tobytes())
    return found.hexdigest()


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by their relative path without suffix, sorted.

    Names that only their suffix tells apart keep it, as ``fixative protect`` names its results.
    """
    if not folder.is_dir():
        raise ImageError(f"pairs: {shown(folder)} is no folder; give one with pictures in it")
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in PICTURE_SUFFIXES]
    found: dict[str, Path] = {}
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        found[name if name not in found else f"{name}{path.suffix}"] = path
    return found


def _read(before: Path, after: Path) -> Pair:
    images = [read_picture(path).images()[0] for path in (before, after)]
    return _pair(images[0], images[1], shown(after))


def _pair(clean: Tensor, protected: Tensor, name: str) -> Pair:
    for image in (clean, protected):
        check_images(image[None], name=name)
    if clean.shape != protected.shape:
        sizes = " and ".join(f"{x.shape[-1]} × {x.shape[-2]}" for x in (clean, protected))
        raise ImageError(f"pairs: {name}: expected both of one size, got {sizes}")
    return Pair(_levels(clean), _levels(protected))


def _levels(image: Tensor) -> Tensor:
    return (image.float() * 255).round().to(torch.uint8).cpu()


def _some(pairs: list[Pair], otherwise: str) -> list[Pair]:
    if not pairs:
        raise ImageError(otherwise)
    return pairs
