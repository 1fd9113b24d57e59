"""The files of the tab: what was uploaded, where results go, and what the page may show."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from fixative.errors import ImageError, SettingError
from fixative.pictures import ReadLimits, read_picture
from fixative.pictures.naming import shown
from fixative_webui import tab_html as html
from fixative_webui.tab_view import picture_view

#: Gradio gives these files to the page wherever the host keeps its results.
_SERVED = "GRADIO_TEMP_DIR"
#: How the names of our folders in there begin, and how long they are kept.
_OURS, _KEPT_SECONDS = "fixative-", 24 * 3600
#: The largest picture that the tab reads.
LIMITS = ReadLimits()
#: Of a preview, at most.
PREVIEW_SIZE = (640, 640)


def uploaded(value: Any, *, what: str = "picture") -> Path:
    """The file of a field for one.

    Args:
        value: what gradio gives: nothing, a path, or a file with a name.
        what: what messages call the field.

    Raises:
        SettingError: the field is empty.
    """
    found = all_uploaded(value)
    if not found:
        raise SettingError(f"{what}: there is none; drop a file on the field, or click on it")
    return found[0]


def all_uploaded(value: Any) -> list[Path]:
    """The files of a field for many, in order."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [Path(str(getattr(each, "name", each))) for each in values]


def folder_named(text: str | None, *, what: str) -> Path:
    """A folder that a person wrote.

    Raises:
        SettingError: the field is empty.
    """
    written = (text or "").strip().strip("\"'")
    if not written:
        raise SettingError(f"{what}: write the folder's path on the machine that runs the web UI")
    return Path(written).expanduser()


def free_names(sources: Iterable[Path], folder: Path, *, ending: str) -> list[Path]:
    """``<source><ending>`` in a folder for each source; numbered where the name is taken."""
    names: list[Path] = []
    taken: set[Path] = set()
    stem, suffix = os.path.splitext(ending)  # noqa: PTH122 - not a path's
    for source in sources:
        path, number = folder / f"{source.stem}{ending}", 2
        while _folded(path) in taken or path.exists():
            path = folder / f"{source.stem}{stem}-{number}{suffix}"
            number += 1
        taken.add(_folded(path))
        names.append(path)
    return names


def shown_copy(image: Image.Image, name: str, *, icc: bytes | None = None) -> Path:
    """A lossless file of a picture that the page may show, in gradio's temporary folder.

    Args:
        image: without metadata.
        name: of the file.
        icc: the profile that its colours are meant in.
    """
    path = page_folder() / name
    image.save(path, "PNG", compress_level=1, icc_profile=icc)
    return path


def preview(value: Any) -> str:
    """A small copy of an uploaded picture as HTML, or why there is none."""
    found = all_uploaded(value)
    if not found:
        return ""
    try:
        picture = read_picture(found[0], limits=LIMITS)
    except ImageError as error:
        return html.report(html.problem(str(error)))
    small = picture.image()
    small.thumbnail(PREVIEW_SIZE)
    width, height = picture.size
    name = f"{shown(found[0].name)}, {width} × {height}"
    return picture_view(shown_copy(small, "preview.png", icc=picture.metadata.icc), name=name)


def page_folder() -> Path:
    """A new folder whose files the page may show; such folders of yesterday are removed."""
    top = Path(os.environ.get(_SERVED) or Path(tempfile.gettempdir()) / "gradio")
    top.mkdir(parents=True, exist_ok=True)
    for folder in top.glob(f"{_OURS}*"):
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_OURS, dir=top))


def _folded(path: Path) -> Path:
    """Names are compared without case, as some disks do."""
    return path.with_name(path.name.casefold())
