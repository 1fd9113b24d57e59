"""The host's temp folder: pictures that the front end shows, gone when the host starts again."""

# pyright: reportMissingImports=false
from __future__ import annotations

import secrets
from pathlib import Path

import folder_paths
from PIL.Image import Image

#: zlib's fastest: these files are looked at, not kept.
COMPRESSION = 1


def save_temp(picture: Image, name: str) -> dict[str, str]:
    """Write a picture as PNG, without any metadata.

    Args:
        picture: of mode RGB, RGBA or L.
        name: what the file's name begins with; the rest makes it unique, so that a browser never
            shows an older one.

    Returns:
        What the host's ``/view`` asks for: filename, subfolder and type.
    """
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"fixative_{name}_{secrets.token_hex(8)}.png"
    picture.save(file, compress_level=COMPRESSION)
    return {"filename": file.name, "subfolder": "", "type": "temp"}
