"""Walk a store for pictures, one folder in memory at a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fixative.batch.filters import Filters
from fixative.batch.plan import result_names
from fixative.errors import SettingError
from fixative.fleet.rows import FleetRow, FleetTask
from fixative.fleet.storage import Store, stamp_of
from fixative.pictures.formats import PICTURE_SUFFIXES

_HIDDEN, _FILTERED = "hidden", "filtered out"


@dataclass
class Walk:
    """Finds the pictures below a store, and names their results.

    Args:
        source: the folder, or one picture.
        out: where results go; left out of the walk where it lies inside ``source``.
        suffix: of the results, with its dot.
        filters: which of the pictures in folders are meant.

    Attributes:
        skipped: files that are no pictures, by suffix or as ``hidden``, and what the filters
            leave out.
        failures: folders that could not be searched.
    """

    source: Store
    out: Store
    suffix: str
    filters: Filters = field(default_factory=Filters)
    skipped: Counter[str] = field(default_factory=Counter[str])
    failures: list[FleetRow] = field(default_factory=list[FleetRow])

    def tasks(self) -> Iterator[FleetTask]:
        """Every picture once, by name within its folder.

        Raises:
            SettingError: there is nothing at the source, or it may not be looked at.
        """
        entry = self._entry()
        if entry["type"] != "directory":
            name = PurePosixPath(self.source.root).name
            yield from self._named([(name, stamp_of(entry))], alone=True)
            return
        folders, met = [""], {self._real("")}
        while folders:
            folder = folders.pop()
            below, pictures = self._search(folder)
            for name in reversed(below):
                real = self._real(name)
                if real not in met and not self._is_out(real):
                    met.add(real)
                    folders.append(name)
            yield from self._named(pictures)

    def _named(self, pictures: list[tuple[str, str]], *, alone: bool = False) -> list[FleetTask]:
        """Tasks with the names that ``plan_files`` gives; ``alone`` is the source itself."""
        names = result_names([Path(name) for name, _ in pictures], self.suffix)
        return [
            FleetTask("" if alone else source, output.as_posix(), stamp, "; ".join(notes))
            for (source, stamp), (output, notes) in zip(pictures, names, strict=True)
        ]

    def _entry(self) -> dict[str, Any]:
        try:
            return self.source.fs.info(self.source.root)
        except Exception as error:  # each store's client has failures of its own
            raise SettingError(
                f"{self.source.label('')}: cannot be read ({_line(error)}); "
                "give an existing folder that may be listed"
            ) from error

    def _search(self, folder: str) -> tuple[list[str], list[tuple[str, str]]]:
        """Names of the folders, and names and stamps of the pictures, in one folder."""
        place = self.source.path(folder)
        try:
            entries = self.source.fs.ls(place, detail=True)
        except Exception as error:  # each store's client has failures of its own
            line = f"{self.source.label(folder)}: cannot be searched ({_line(error)})"
            self.failures.append(FleetRow(folder, error=line))
            return [], []
        folders: list[str] = []
        pictures: list[tuple[str, str]] = []
        for entry in sorted(entries, key=lambda one: str(one["name"])):
            path = str(entry["name"]).rstrip("/")
            if path == place:  # an object that stands for the folder
                continue
            name = PurePosixPath(path).name
            relative = f"{folder}/{name}" if folder else name
            if name.startswith("."):
                self.skipped[_HIDDEN] += 1
            elif entry["type"] == "directory":
                if self._kept(self.filters.keeps_folder(relative)):
                    folders.append(relative)
            elif self._is_picture(name) and self._kept(self.filters.keeps_file(relative)):
                pictures.append((relative, stamp_of(entry)))
        return folders, pictures

    def _is_picture(self, name: str) -> bool:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in PICTURE_SUFFIXES:
            self.skipped[suffix or "no suffix"] += 1
        return suffix in PICTURE_SUFFIXES

    def _kept(self, kept: bool) -> bool:
        if not kept:
            self.skipped[_FILTERED] += 1
        return kept

    def _real(self, name: str) -> str:
        path = self.source.path(name)
        return os.path.realpath(path) if self.source.local else path

    def _is_out(self, real: str) -> bool:
        out = os.path.realpath(self.out.root) if self.out.local else self.out.root
        return type(self.source.fs) is type(self.out.fs) and real == out


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
