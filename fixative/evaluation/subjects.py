"""The pictures of an evaluation: from a folder or from memory, and which of them are measured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fixative.batch.plan import plan_files
from fixative.errors import ImageError, SettingError
from fixative.evaluation.protocol import Protocol
from fixative.images import check_images, on_8bit_grid, resize
from fixative.pictures.formats import OUTPUT_FORMATS
from fixative.pictures.naming import shown
from fixative.pictures.reading import read_picture

#: Where the window of a picture begins is a multiple of this, so that latent cells line up.
CELL = 8


@dataclass(frozen=True)
class Subject:
    """One picture to evaluate on; it is read when it is its turn.

    Attributes:
        name: unique, as tables show it.
        path: the file it comes from, or None.
        image: (1, 3, H, W) in [0, 1], where it comes from memory.
    """

    name: str
    path: Path | None = None
    image: Tensor | None = None

    def load(self, size: int | None = None) -> Tensor:
        """The picture (1, 3, H, W) on the 8-bit grid, its longer side at most ``size``.

        Raises:
            ImageError: it cannot be read, or is no picture in [0, 1].
        """
        if self.image is not None:
            check_images(self.image, name=self.name)
            image = self.image.detach().cpu().float()
        else:
            assert self.path is not None
            image = read_picture(self.path).images()
        longest = max(image.shape[-2:])
        if size is not None and longest > size:
            height, width = (max(1, round(side * size / longest)) for side in image.shape[-2:])
            image = resize(image, height, width).clamp(0, 1)
        return on_8bit_grid(image)

    def digest(self) -> str:
        """sha256 of the file, or of the pixels; of nothing where the file cannot be read."""
        if self.image is not None:
            pixels = self.image.detach().cpu().float().contiguous()
            shape = str(tuple(pixels.shape)).encode()
            return hashlib.sha256(shape + pixels.numpy().tobytes()).hexdigest()
        assert self.path is not None
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError:
            return hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Choice:
    """What becomes of the pictures given.

    Attributes:
        measured: are protected, purified and measured.
        pairs: are protected only, for countermeasures that learn from known pairs.
        given: how many there were to choose from.
    """

    measured: tuple[Subject, ...]
    pairs: tuple[Subject, ...]
    given: int


def subjects_of_folder(folder: Path, *, out: Path) -> list[Subject]:
    """Every picture below a folder, by name, those below ``out`` left aside.

    Raises:
        SettingError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise SettingError(f"images: {shown(folder)} is not a folder; give one with pictures")
    plan = plan_files([folder], out, output=OUTPUT_FORMATS["png"])
    found = [task.source for task in plan.tasks]
    if not found:
        raise SettingError(f"images: {shown(folder)} holds no pictures; give another folder")
    return [Subject(shown(path.relative_to(folder)), path) for path in found]


def subjects_of_images(
    images: Tensor | Sequence[Tensor], names: Sequence[str] = ()
) -> list[Subject]:
    """Pictures that are in memory already.

    Args:
        images: (B, 3, H, W) in [0, 1], or several (1, 3, H, W) of any sizes.
        names: one each; otherwise ``picture 1``, …

    Raises:
        SettingError: another number of names than pictures.
    """
    singles = list(images.split(1)) if isinstance(images, Tensor) else list(images)
    called = list(names) or [f"picture {number}" for number in range(1, len(singles) + 1)]
    if len(called) != len(singles):
        raise SettingError(f"names: expected {len(singles)}, got {len(called)}")
    return [Subject(name, image=image) for name, image in zip(called, singles, strict=True)]


def choose_subjects(subjects: Sequence[Subject], protocol: Protocol) -> Choice:
    """Pick the measured pictures and, from the others, the pairs; both evenly spread.

    Raises:
        SettingError: there are no pictures, or two of one name.
    """
    if not subjects:
        raise SettingError("images: expected one picture or more, got none")
    names = [subject.name for subject in subjects]
    if len(set(names)) < len(names):
        raise SettingError(f"names: expected all different, got {', '.join(names)}")
    given = len(subjects)
    wanted = given if protocol.pictures is None else protocol.pictures
    if protocol.pictures is None and protocol.pairs:
        wanted = max(1, given - protocol.pairs)
    picked = set(spread(given, wanted))
    others = [subject for number, subject in enumerate(subjects) if number not in picked]
    pairs = [others[number] for number in spread(len(others), protocol.pairs)]
    return Choice(tuple(subjects[number] for number in sorted(picked)), tuple(pairs), given)


def spread(count: int, wanted: int | None) -> list[int]:
    """``wanted`` of the numbers 0 to count − 1, evenly spread; all where there are not more."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return [(2 * number + 1) * count // (2 * wanted) for number in range(wanted)]


def window_of(height: int, width: int, side: int | None) -> tuple[slice, slice]:
    """Rows and columns of the centre square of ``side`` pixels; all of a side that is shorter."""
    return _span(height, side), _span(width, side)


def cut(images: Tensor, side: int | None) -> Tensor:
    """The centre window of (B, C, H, W)."""
    height, width = images.shape[-2:]
    return images[(..., *window_of(height, width, side))]


def read_saved(path: Path) -> Tensor:
    """A PNG that the evaluation wrote, (1, 3, H, W).

    Raises:
        ImageError: it is not there or damaged.
    """
    try:
        return read_picture(path).images()
    except ImageError as error:
        raise ImageError(f"{error}; remove it and run again") from error


def _span(length: int, side: int | None) -> slice:
    if side is None or side >= length:
        return slice(0, length)
    first = (length - side) // 2 // CELL * CELL
    return slice(first, first + side)
