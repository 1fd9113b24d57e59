"""Names of saved files, by the conventions of the host's own *Save Image*."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fixative.errors import SettingError

_PLACEHOLDER = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile("dd?|MM?|hh?|mm?|ss?|yyyy|yy")
_UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def expand_prefix(prefix: str, *, now: datetime, prompt: Mapping[str, Any] | None) -> str:
    """Fill in ``%date:yyyy-MM-dd%`` and ``%Node.widget%``.

    The front end does so for the host's own nodes only. ``%year%``, ``%width%`` and the like are
    left to the host's backend, and so is what names nothing.

    Args:
        prefix: as the person wrote it.
        now: the time to write.
        prompt: the graph in the host's API format.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith("date:"):
            return _formatted(now, name.removeprefix("date:"))
        node, dot, widget = name.partition(".")
        value = _widget_value(prompt or {}, node, widget) if dot else None
        return match[0] if value is None else _UNSAFE.sub("_", str(value))

    return _PLACEHOLDER.sub(fill, prefix)


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that names no file inside the output folder.

    Raises:
        SettingError: it is blank, or leads out of the folder.
    """
    normal = os.path.normpath(prefix.strip())
    if not prefix.strip() or normal == ".":
        raise SettingError(
            "filename_prefix: expected the beginning of a file name, for example Fixative or "
            "sub-folder/Fixative; got nothing"
        )
    if Path(normal).is_absolute() or os.pardir in Path(normal).parts or "\0" in normal:
        raise SettingError(
            f"filename_prefix: expected a name inside the host's output folder, got {prefix!r}; "
            "leave out .. and leading slashes"
        )


def free_path(folder: Path, name: str, counter: int, suffix: str) -> tuple[Path, int]:
    """The first ``name_00001_.png`` from ``counter`` on that is not there yet, and its number."""
    while os.path.lexists(path := folder / f"{name}_{counter:05}_{suffix}"):
        counter += 1
    return path, counter


def _formatted(now: datetime, form: str) -> str:
    values = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(match: re.Match[str]) -> str:
        letters = match[0]
        if letters[0] == "y":
            return str(now.year)[-len(letters) :]
        return str(values[letters[0]]).zfill(len(letters))

    return _DATE_PART.sub(part, form)


def _widget_value(prompt: Mapping[str, Any], name: str, widget: str) -> Any:
    """A widget of the node with this type or, failing that, this title; None if there is none."""
    nodes = [node for node in prompt.values() if node.get("class_type") == name]
    nodes = nodes or [n for n in prompt.values() if n.get("_meta", {}).get("title") == name]
    value = nodes[0].get("inputs", {}).get(widget) if nodes else None
    return None if isinstance(value, list) else value  # a list is a wire
