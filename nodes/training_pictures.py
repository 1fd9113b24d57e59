"""Gathers the pictures that Train Mixture learns from: a batch, a folder, or both."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from fixative.errors import ImageError
from fixative.training.pictures import PictureList, folder_pictures, list_images, read_folder

from .convert import split_alpha


def gather_pictures(
    images: Tensor | None, folder: Path | None, *, most: int, seed: int
) -> PictureList:
    """The batch's pictures first, then the folder's, ``most`` together.

    Args:
        images: a host IMAGE (B, H, W, 3 or 4), or None.
        folder: with pictures in it or in sub-folders, or None.
        most: how many to use at the most.
        seed: of the draw where a folder has more.

    Raises:
        ImageError: neither is given, or the folder is missing, empty or unreadable.
    """
    if images is None and folder is None:
        raise ImageError(
            "images: nothing to train on; connect pictures to images, or name a folder on this "
            "computer in folder"
        )
    batch = PictureList({}) if images is None else _batch(images, most)
    if folder is None or len(batch) == most:
        return batch
    return batch.joined(read_folder(folder, most=most - len(batch), seed=seed))


def _batch(images: Tensor, most: int) -> PictureList:
    planes, _ = split_alpha(images, name="images")
    listed = list_images(planes[:most])
    return PictureList(listed.pictures, left_out=len(planes) - len(listed))


def folder_state(folder: Path | None) -> list[tuple[str, int, int]]:
    """Changes when a picture in the folder does: the host then trains anew."""
    if folder is None or not folder.is_dir():
        return []
    files = [path for paths in folder_pictures(folder).values() for path in paths]
    states = [(str(path), path.stat()) for path in files]
    return [(name, state.st_mtime_ns, state.st_size) for name, state in states]
