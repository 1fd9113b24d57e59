"""What a run has done so far, line by line, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from fixative.errors import SettingError
from fixative.evaluation.rows import DONE, Row
from fixative.pictures.atomic import write_text
from fixative.pictures.naming import shown

NAME = "journal.jsonl"
#: Largest difference of a codec's probe that rounding makes.
SAME_PROBE = 1e-2
PROBE = "probe"


class Line(Protocol):
    """What a journal keeps."""

    @property
    def key(self) -> Hashable: ...

    @property
    def status(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


AnyRow = TypeVar("AnyRow", bound=Line)


@dataclass(frozen=True)
class Kind(Generic[AnyRow]):
    """What kind of run a journal is of.

    Attributes:
        name: as messages call it, with its article.
        read: makes a row of what ``to_dict`` gave.
        folders: what a run makes below its folder, and what a fresh one removes.
        files: likewise.
    """

    name: str
    read: Callable[[dict[str, Any]], AnyRow]
    folders: tuple[str, ...]
    files: tuple[str, ...] = ("results.json", "report.html")


EVALUATION = Kind("an evaluation", Row.from_dict, ("pictures", "plots", "learnt"))


class Journal(Generic[AnyRow]):
    """Rows on disk as JSON lines after a header; a line that was cut off does not count.

    Args:
        folder: of the run; made if it is not there.
        header: what the rows depend on, JSON types only. One that differs from the header on
            disk is refused, naming what differs.
        kind: of run.
        fresh: remove what an earlier run left, instead.

    Raises:
        SettingError: the folder holds another run, or something else.
    """

    def __init__(
        self, folder: Path, header: dict[str, Any], kind: Kind[AnyRow], *, fresh: bool = False
    ) -> None:
        self._path, self._kind = folder / NAME, kind
        self._rows: dict[Hashable, AnyRow] = {}
        begun = self._path.is_file()
        if begun and fresh:
            _remove(folder, kind)
        elif begun:
            self._resume(header)
        else:
            _require_own(folder, kind.name)
        if fresh or not begun:
            write_text(self._path, json.dumps(header) + "\n")

    @property
    def rows(self) -> list[AnyRow]:
        """The newest row of each cell, in the order of their first lines."""
        return list(self._rows.values())

    def done(self, key: Hashable) -> AnyRow | None:
        """The row of a cell that is done; failed ones are tried again."""
        row = self._rows.get(key)
        return row if row is not None and row.status == DONE else None

    def newest(self, key: Hashable) -> AnyRow | None:
        """The newest row of a cell, whatever became of it."""
        return self._rows.get(key)

    def add(self, row: AnyRow) -> None:
        """Write a row; it is on the disk when this returns."""
        self._rows[row.key] = row
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(row.to_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _resume(self, header: dict[str, Any]) -> None:
        text = self._path.read_text("utf-8")
        lines = text.splitlines()
        try:
            found = json.loads(lines[0]) if lines else {}
        except ValueError as error:
            raise SettingError(
                f"{shown(self._path)}: is damaged ({error}); add --fresh to start over"
            ) from error
        _require_same(found, header, self._path.parent, self._kind.name)
        for line in lines[1:]:
            row = self._read_row(line)
            if row is not None:
                self._rows[row.key] = row
        if not text.endswith("\n"):  # the next row begins on a line of its own
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def _read_row(self, line: str) -> AnyRow | None:
        """None of a line that was cut off when a run was ended."""
        try:
            return self._kind.read(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _require_same(found: dict[str, Any], header: dict[str, Any], folder: Path, what: str) -> None:
    differs = [key for key in header if key != PROBE and found.get(key) != header[key]]
    if not differs and not _same_probe(found.get(PROBE), header.get(PROBE)):
        differs = ["codecs"]
    if differs:
        raise SettingError(
            f"out: {shown(folder)} holds {what} that differs in: {', '.join(differs)}; "
            "choose another folder, or add --fresh to start over there"
        )


def _same_probe(one: Any, other: Any) -> bool:
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return one == other
    return all(math.isclose(a, b, abs_tol=SAME_PROBE) for a, b in zip(one, other, strict=True))


def _require_own(folder: Path, what: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"out: {shown(folder)} is a file, expected a folder")
    if folder.is_dir() and any(folder.iterdir()):
        name = what.partition(" ")[2]
        raise SettingError(
            f"out: {shown(folder)} is not empty and holds no {name}; choose a new folder"
        )


def _remove(folder: Path, kind: Kind[Any]) -> None:
    """Remove an earlier run's files, and no others."""
    (folder / NAME).unlink()
    for name in kind.folders:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in kind.files:
        (folder / name).unlink(missing_ok=True)
