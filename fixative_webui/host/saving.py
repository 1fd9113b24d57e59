"""Where results go, what a browser may fetch, and whether saved files stay as protected."""

# pyright: reportMissingImports=false
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from modules import shared

from fixative_webui.host.options import option

#: The host's folder of results of Extras by default, and ours beside it.
HOST_FOLDER, FOLDER = "extras-images", "fixative-images"
#: Formats that lose nothing; WebP where its option says so.
LOSSLESS = ("png", "tif", "tiff", "bmp")


def lossy_output() -> str | None:
    """Why pictures that the host saves are weaker than what was protected; None: they are not."""
    kind = str(option("samples_format", "png")).lower().removeprefix(".")
    if kind in LOSSLESS or (kind == "webp" and option("webp_lossless", False)):
        return None
    return (
        f"the host saves pictures as {kind}, which is lossy and weakens the protection; choose "
        "png in Settings, Saving images/grids, File format for images"
    )


def lossy_copies() -> str | None:
    """Why there may be a second, lossy file beside a saved one; None: there is none."""
    if not option("export_for_4chan", False):
        return None
    return (
        "the host also saves a JPG of large pictures, which is protected less; to have none, "
        "switch off Settings, Saving images/grids, Save copy of large images as JPG"
    )


def allowed_output_dir() -> Path:
    """The folder for Fixative's results, made; in the host's own folder of outputs."""
    chosen = option("outdir_samples") or option("outdir_extras_samples") or f"outputs/{HOST_FOLDER}"
    folder = Path(chosen).absolute()
    ours = folder.with_name(FOLDER) if folder.name == HOST_FOLDER else folder / "fixative"
    ours.mkdir(parents=True, exist_ok=True)
    return ours


def folders_allowed() -> bool:
    """Whether whoever uses the page may name folders of this machine."""
    return not getattr(shared.cmd_opts, "hide_ui_dir_config", False)


def servable(file: Path) -> Path:
    """The file where the UI may serve it from: itself, or a copy in the temporary folder."""
    whole = file.resolve()
    if any(_holds(folder, whole) for folder in _served_folders()):
        return whole
    return Path(shutil.copy2(whole, Path(tempfile.mkdtemp(prefix="fixative-")) / whole.name))


def _served_folders() -> list[Path]:
    options: Any = shared.cmd_opts
    named = getattr(options, "gradio_allowed_path", None) or []
    return [Path(tempfile.gettempdir()), *(Path(one) for one in named)]


def _holds(folder: Path, file: Path) -> bool:
    """Whether gradio takes a file as one of the folder: nothing hidden on the way."""
    folder = folder.resolve()
    if not file.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)
