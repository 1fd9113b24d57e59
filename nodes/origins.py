"""The files that a graph's pictures come from, to keep what loading them as tensors dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixative.errors import FixativeError, ImageError, SettingError
from fixative.pictures import Picture, find_origin, read_picture, without_generation
from fixative.pictures.picture import Pixels

AUTO, NONE = "auto", "none"
#: Choices of ``source`` that are no file.
NO_FILE = (AUTO, NONE)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origins:
    """Where the metadata of each picture comes from.

    Attributes:
        named: the file for all pictures, or None.
        loaded: files that the graph loads, to find each picture's among.
    """

    named: Picture | None = None
    loaded: tuple[Picture, ...] = ()

    @classmethod
    def of(
        cls,
        source: str,
        prompt: Mapping[str, Any] | None,
        node_id: str | None,
        find: Callable[[str], Path | None],
    ) -> Origins:
        """What ``source`` asks for.

        Args:
            source: ``auto``, ``none`` or a file's name.
            prompt: the graph in the host's API format.
            node_id: the saving node in it.
            find: from a name to a file of the host's.

        Raises:
            SettingError: no such file.
            ImageError: the file is no picture that can be read.
        """
        if source == NONE:
            return cls()
        if source == AUTO:
            return cls(loaded=tuple(loaded_pictures(prompt, node_id, find)))
        path = find(source)
        if path is None:
            raise SettingError(source_refusal(source))
        try:
            return cls(named=read_picture(path))
        except ImageError as error:
            raise ImageError(f"source: {error}") from error

    def for_pixels(self, pixels: Pixels) -> Picture | None:
        """The file for one picture."""
        return self.named or find_origin(pixels, self.loaded)


def source_refusal(source: str) -> str:
    """Why a source is not taken."""
    return (
        f"source: no picture {source!r} in the host's input folder; choose auto, none, or a file "
        "that is there"
    )


def told_kept(origin: Picture | None) -> str:
    """What the file of ``origin`` had to give."""
    if origin is None:
        return ""
    metadata = without_generation(origin.metadata)
    parts = {
        "EXIF": metadata.exif,
        "colour profile": metadata.icc or metadata.colour_chunks,
        "XMP": metadata.xmp,
        "notes": metadata.texts,
    }
    found = [name for name, part in parts.items() if part]
    return f"{', '.join(found)} of {origin.path.name}" if found else ""


def loaded_pictures(
    prompt: Mapping[str, Any] | None, node_id: str | None, find: Callable[[str], Path | None]
) -> list[Picture]:
    """Read every picture file that a node upstream of ``node_id`` names in a widget.

    Args:
        prompt: the graph in the host's API format.
        node_id: where to start.
        find: from a widget's text to a file, None for any other text.
    """
    texts = [text for node in _upstream(prompt or {}, node_id or "") for text in _texts(node)]
    paths = dict.fromkeys(path for path in map(find, texts) if path is not None)
    return [picture for picture in map(_readable, paths) if picture is not None]


def _upstream(prompt: Mapping[str, Any], node_id: str) -> list[Mapping[str, Any]]:
    """Every node that ``node_id`` depends on, itself left out."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting = _wires(prompt.get(node_id, {}))
    while waiting:
        key = waiting.pop()
        if key in prompt and key not in found:
            found[key] = prompt[key]
            waiting += _wires(prompt[key])
    return list(found.values())


def _wires(node: Mapping[str, Any]) -> list[str]:
    values = node.get("inputs", {}).values()
    return [str(value[0]) for value in values if isinstance(value, list) and len(value) == 2]


def _texts(node: Mapping[str, Any]) -> list[str]:
    return [value for value in node.get("inputs", {}).values() if isinstance(value, str)]


def _readable(path: Path) -> Picture | None:
    try:
        return read_picture(path)
    except FixativeError as error:
        logger.info("Fixative: %s", error)
        return None
