"""Notes in a picture file from which the graph that made it can be opened again.

ComfyUI writes its workflow into PNG text chunks or, in a WebP, into EXIF texts ``key:JSON``. They
tell how a picture was made and what files were used: nothing that an artist gives away unasked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from fixative.errors import SettingError
from fixative.pictures.formats import OutputFormat
from fixative.pictures.metadata import Metadata

#: Text chunks that ComfyUI reads back; it does not unpack compressed ones.
WORKFLOW_KEYS = ("prompt", "workflow")
#: The same, and the one that A1111 writes.
GENERATION_KEYS = (*WORKFLOW_KEYS, "parameters")
#: EXIF's Model and Make, where ComfyUI puts them; a camera's own values stay, and these move to
#: numbers that are free for private use.
_EXIF_TAGS = {"prompt": (0x0110, 65001), "workflow": (0x010F, 65002)}


def without_generation(metadata: Metadata) -> Metadata:
    """Metadata without the notes on how the picture was generated."""
    texts = {key: text for key, text in metadata.texts.items() if key not in GENERATION_KEYS}
    return replace(metadata, texts=texts, exif=_exif_without_workflow(metadata.exif))


def with_workflow(
    metadata: Metadata, notes: Mapping[str, Any], *, output: OutputFormat
) -> Metadata:
    """Metadata with a graph in it, where ComfyUI's front end looks for it.

    Args:
        metadata: everything else to keep.
        notes: JSON types by key: ``prompt`` and ``workflow`` of a host.
        output: the format to save in.

    Raises:
        SettingError: the format has no such place.
    """
    kept = without_generation(metadata)
    packed = {key: json.dumps(note) for key, note in notes.items()}
    if output.pillow == "PNG":
        return replace(kept, texts={**kept.texts, **packed})
    if output.pillow != "WEBP":
        raise SettingError(
            f"include_workflow: {output.name} cannot hold a workflow that opens again; choose png "
            "or webp, or switch it off"
        )
    return replace(kept, exif=_exif_with(kept.exif, packed))


def _exif_with(block: bytes, packed: Mapping[str, str]) -> bytes:
    exif = _loaded(block)
    for key, (usual, private) in _EXIF_TAGS.items():
        if key in packed:
            exif[private if usual in exif else usual] = f"{key}:{packed[key]}"
    return exif.tobytes()


def _exif_without_workflow(block: bytes) -> bytes:
    exif = _loaded(block)
    marks = tuple(f"{key}:{{" for key in WORKFLOW_KEYS)
    found = [tag for tag, value in exif.items() if str(value).startswith(marks)]
    if not found:
        return block  # byte for byte: writing EXIF anew may move what only its camera can read
    for tag in found:
        del exif[tag]
    return exif.tobytes() if len(exif) else b""


def _loaded(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(block)
    return exif
