"""The files that a graph's pictures come from, to keep what loading them as tensors dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fixative.errors import FixativeError
from fixative.pictures import Picture, read_picture

logger = logging.getLogger(__name__)


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
