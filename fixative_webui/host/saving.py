"""Where results go, and whether files that the host saves stay as protected."""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path

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
