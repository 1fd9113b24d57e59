"""What a run has done so far, line by line, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from fixative.errors import SettingError
from fixative.evaluation.rows import DONE, Key, Row
from fixative.pictures.atomic import write_text
from fixative.pictures.naming import shown

NAME = "journal.jsonl"
#: Largest difference of a codec's probe that rounding makes.
SAME_PROBE = 1e-2
PROBE = "probe"


class Journal:
    """Rows on disk as JSON lines after a header; a line that was cut off does not count.

    Args:
        folder: of the evaluation; made if it is not there.
        header: what the rows depend on, JSON types only. One that differs from the header on
            disk is refused, naming what differs.
        fresh: remove what an earlier run left, instead.

    Raises:
        SettingError: the folder holds another evaluation, or something else.
    """

    def __init__(self, folder: Path, header: dict[str, Any], *, fresh: bool = False) -> None:
        self._path = folder / NAME
        self._rows: dict[Key, Row] = {}
        begun = self._path.is_file()
        if begun and fresh:
            _remove(folder)
        elif begun:
            self._resume(header)
        else:
            _require_own(folder)
        if fresh or not begun:
            write_text(self._path, json.dumps(header) + "\n")

    @property
    def rows(self) -> list[Row]:
        """The newest row of each cell, in the order of their first lines."""
        return list(self._rows.values())

    def done(self, key: Key) -> Row | None:
        """The row of a cell that is done; failed ones are tried again."""
        row = self._rows.get(key)
        return row if row is not None and row.status == DONE else None

    def newest(self, key: Key) -> Row | None:
        """The newest row of a cell, whatever became of it."""
        return self._rows.get(key)

    def add(self, row: Row) -> None:
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
        _require_same(found, header, self._path.parent)
        for line in lines[1:]:
            row = _read_row(line)
            if row is not None:
                self._rows[row.key] = row
        if not text.endswith("\n"):  # the next row begins on a line of its own
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")


def _read_row(line: str) -> Row | None:
    """None of a line that was cut off when a run was ended."""
    try:
        return Row.from_dict(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _require_same(found: dict[str, Any], header: dict[str, Any], folder: Path) -> None:
    differs = [key for key in header if key != PROBE and found.get(key) != header[key]]
    if not differs and not _same_probe(found.get(PROBE), header.get(PROBE)):
        differs = ["codecs"]
    if differs:
        raise SettingError(
            f"out: {shown(folder)} holds an evaluation that differs in: {', '.join(differs)}; "
            "choose another folder, or add --fresh to start over there"
        )


def _same_probe(one: Any, other: Any) -> bool:
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return one == other
    return all(math.isclose(a, b, abs_tol=SAME_PROBE) for a, b in zip(one, other, strict=True))


def _require_own(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"out: {shown(folder)} is a file, expected a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingError(
            f"out: {shown(folder)} is not empty and holds no evaluation; choose a new folder"
        )


def _remove(folder: Path) -> None:
    """Remove an earlier evaluation's files, and no others."""
    (folder / NAME).unlink()
    for name in ("pictures", "plots", "learnt"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("results.json", "report.html"):
        (folder / name).unlink(missing_ok=True)
