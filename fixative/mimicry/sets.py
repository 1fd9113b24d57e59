"""Sets of pictures to imitate: one artist's or subject's each, brought to one canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fixative.errors import FixativeError, ImageError, SettingError
from fixative.evaluation.subjects import Subject, cut, subjects_of_folder
from fixative.images import on_8bit_grid, resize
from fixative.pictures.formats import PICTURE_SUFFIXES
from fixative.pictures.naming import shown

#: With fewer pictures nobody trains a LoRA, and no distribution can be spoken of.
LEAST = 3


@dataclass(frozen=True)
class PictureSet:
    """Pictures that one imitator learns from.

    Attributes:
        name: as tables show it.
        subjects: the pictures; they are read when it is their turn.
    """

    name: str
    subjects: tuple[Subject, ...]


@dataclass(frozen=True)
class Canvases:
    """The pictures of a set that could be read.

    Attributes:
        images: (N, 3, S, S) on the 8-bit grid.
        names: of the pictures, N.
        notes: which pictures were left out and why, and what else to know.
    """

    images: Tensor
    names: tuple[str, ...]
    notes: tuple[str, ...]


def sets_of_folders(folders: Sequence[Path], *, out: Path) -> list[PictureSet]:
    """One set a folder; of a folder without pictures of its own, one set a folder in it.

    Raises:
        SettingError: no folders, not a folder, one without pictures, or two sets of one name.
    """
    places = [place for folder in folders for place in _set_folders(folder, out)]
    if not places:
        raise SettingError("images: expected one folder or more, got none")
    names = [_name(place, places) for place in places]
    sets = [
        PictureSet(name, tuple(subjects_of_folder(place, out=out)))
        for name, place in zip(names, places, strict=True)
    ]
    for one in sets:
        _require_enough(one.name, len(one.subjects), "there are")
    return sets


def load_canvases(one: PictureSet, side: int) -> Canvases:
    """Read a set: centre squares brought to ``side`` pixels, whatever the sizes were.

    Raises:
        ImageError: fewer than three pictures could be read.
    """
    images: list[Tensor] = []
    names: list[str] = []
    notes: list[str] = []
    sizes: set[tuple[int, ...]] = set()
    for subject in one.subjects:
        try:
            image = subject.load()
        except FixativeError as error:
            notes.append(f"left out: {error}")
            continue
        sizes.add(tuple(image.shape[-2:]))
        images.append(on_canvas(image, side))
        names.append(subject.name)
    _require_enough(one.name, len(images), "could be read:", *notes)
    if len(sizes) > 1:
        notes.append(f"{len(sizes)} different sizes, all brought to {side} × {side} pixels")
    return Canvases(torch.cat(images), tuple(names), tuple(notes))


def on_canvas(image: Tensor, side: int) -> Tensor:
    """The centre square of (1, 3, H, W), resized to (1, 3, side, side) on the 8-bit grid."""
    shortest = min(image.shape[-2:])
    top, left = ((length - shortest) // 2 for length in image.shape[-2:])
    square = image[..., top : top + shortest, left : left + shortest]
    return on_8bit_grid(resize(square, side, side).clamp(0, 1))


def window(canvases: Tensor, resolution: int) -> Tensor:
    """What the imitator cuts out: the centre of (N, 3, S, S), of the model's resolution."""
    return cut(canvases, resolution).contiguous()


def _set_folders(folder: Path, out: Path) -> list[Path]:
    if not folder.is_dir():
        raise SettingError(f"images: {shown(folder)} is not a folder; give one with pictures")
    if any(path.suffix.lower() in PICTURE_SUFFIXES for path in folder.iterdir()):
        return [folder]
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return [p for p in inner if p.name[0] != "." and p.resolve() != out.resolve()] or [folder]


def _name(place: Path, places: Sequence[Path]) -> str:
    """The folder's name, with its parent's where that is needed to tell it from others."""
    resolved = place.resolve()
    alike = [other for other in places if other.resolve().name == resolved.name]
    if len(alike) > 1:
        return shown(Path(resolved.parent.name) / resolved.name)
    return shown(Path(resolved.name))


def _require_enough(name: str, count: int, what: str, *reasons: str) -> None:
    if count < LEAST:
        told = "; ".join(reasons)
        raise ImageError(
            f"images: set {name}: expected {LEAST} pictures or more of one subject or style, "
            f"{what} {count}" + (f" ({told})" if told else "; add some")
        )
