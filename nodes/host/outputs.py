"""Where the host saves pictures, and the picture files that its graphs start from."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import folder_paths
from comfy.cli_args import args

from fixative.pictures.formats import PICTURE_SUFFIXES


@dataclass(frozen=True)
class SavePlace:
    """Where the next files of a prefix go.

    Attributes:
        folder: the folder, which exists.
        name: the file name's beginning.
        counter: the first free number.
        subfolder: ``folder`` as the front end asks for it, inside the output folder.
    """

    folder: Path
    name: str
    counter: int
    subfolder: str


def save_place(prefix: str, *, width: int, height: int) -> SavePlace:
    """Find the place by the host's own rules (%year%, %width%, sub-folders, counter).

    Args:
        prefix: checked before: the host's own refusal shows paths of the machine.
        width: of the pictures, in pixels.
        height: likewise.
    """
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    return SavePlace(Path(folder), name, counter, subfolder)


def output_folder() -> Path:
    """Where the host saves what people keep."""
    return Path(folder_paths.get_output_directory())


def input_pictures() -> list[str]:
    """Picture files in the host's input folder, as *Load Image* lists them."""
    folder = Path(folder_paths.get_input_directory())
    files = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(path.name for path in files if path.is_file())


def input_file(name: str) -> Path | None:
    """The file that *Load Image* means by ``name`` (``photo.png``, ``a.png [output]``).

    Returns:
        Its path, or None if it is not there, no picture, or outside of the host's folders.
    """
    bare, folder = folder_paths.annotated_filepath(name)
    inside = Path(bare.strip())
    if inside.is_absolute() or os.pardir in inside.parts or "\0" in name:
        return None
    found = Path(folder or folder_paths.get_input_directory()) / inside
    try:
        return found if found.suffix.lower() in PICTURE_SUFFIXES and found.is_file() else None
    except OSError:  # a text far too long for a file name
        return None


def metadata_disabled() -> bool:
    """Whether the host was started with ``--disable-metadata``."""
    return bool(args.disable_metadata)
