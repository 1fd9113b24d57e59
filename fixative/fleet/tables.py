"""Rows on the disk: the list of what is to do, and the results, as Parquet or JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import astuple
from itertools import islice
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, TypeVar

from fixative.errors import SettingError
from fixative.fleet.rows import FleetRow, FleetTask
from fixative.fleet.storage import JOBS_FOLDER, Store
from fixative.pictures.atomic import atomic_file

_ROWS = 10_000
_SUFFIXES = (".jsonl", ".parquet")
#: Days after which what is left of a job is taken for that of one that was killed.
_STALE = 7

Item = TypeVar("Item")


def row_schema() -> Any:
    """Arrow's schema of ``FleetRow``."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    fields = FleetRow.__dataclass_fields__.values()
    return pa.schema([(one.name, kinds[str(one.type).partition(" ")[0]]) for one in fields])


class TaskList:
    """The pictures to protect, in files beside the results, so that all machines can read them.

    Each line is the tasks that a worker takes at once, as JSON.

    Args:
        out: the store of the results.
        folder: of the job, in it; removed by ``remove`` with all that lies there.
        together: tasks in a line.
    """

    def __init__(self, out: Store, folder: str, *, together: int = 1) -> None:
        self.out = out
        self._folder, self._together = folder, together
        self.parts: list[str] = []
        self.count = 0

    def write(self, tasks: Iterable[FleetTask]) -> None:
        """Write the list, some thousand tasks in memory at a time."""
        for part in _chunks(tasks, _ROWS):
            lines = [json.dumps([astuple(task) for task in some]) for some in self._lines(part)]
            name = f"{self._folder}/part-{len(self.parts):06d}.jsonl"
            self.out.put_bytes("".join(f"{line}\n" for line in lines).encode(), name)
            self.parts.append(name)
            self.count += len(part)

    def _lines(self, part: list[FleetTask]) -> Iterator[list[FleetTask]]:
        return _chunks(part, self._together)

    def remove(self) -> None:
        """Remove the list; the results do not need it."""
        _remove(self.out, self._folder)


def read_tasks(line: str) -> list[FleetTask]:
    """The tasks of a line of a ``TaskList``."""
    return [FleetTask(*fields) for fields in json.loads(line)]


def remove_stale(out: Store) -> None:
    """Remove the lists of jobs that were begun many days ago: their drivers were killed."""
    folder = out.path(JOBS_FOLDER)
    entries = out.fs.ls(folder, detail=False) if out.fs.exists(folder) else []
    for entry in entries:
        name = PurePosixPath(str(entry)).name
        age = time.time_ns() - (int(name, 16) if _is_hexadecimal(name) else time.time_ns())
        if age > _STALE * 86_400 * 10**9:
            _remove(out, f"{JOBS_FOLDER}/{name}")


class ResultsFile(AbstractContextManager["ResultsFile"]):
    """A row a picture in a ``.jsonl`` or ``.parquet`` file, there once the job has ended.

    Args:
        place: the file as a store; None writes nothing.
        overwrite: replace a file that exists.

    Raises:
        SettingError: another suffix, or the file exists and ``overwrite`` is False.
    """

    def __init__(self, place: Store | None, *, overwrite: bool = False) -> None:
        self._place, self._overwrite = place, overwrite
        self._stack, self._waiting = ExitStack(), list[FleetRow]()
        self._file: Any = None
        self._table: Any = None
        if place is None:
            return
        suffix = PurePosixPath(place.root).suffix.lower()
        if suffix not in _SUFFIXES:
            raise SettingError(f"results: {place.label('')} ends in neither {_listed(_SUFFIXES)}")
        if not overwrite and place.fs.exists(place.root):
            raise SettingError(
                f"results: {place.label('')} exists already; add --overwrite to replace it"
            )

    def __enter__(self) -> ResultsFile:
        place = self._place
        if place is None:
            return self
        if place.local:
            atomic = atomic_file(Path(place.root), overwrite=self._overwrite)
            self._file = self._stack.enter_context(self._stack.enter_context(atomic).open("wb"))
        else:
            self._file = self._stack.enter_context(place.fs.open(place.root, "wb"))
        if place.root.lower().endswith(".parquet"):
            import pyarrow.parquet as pq  # noqa: PLC0415 - comes with the extra ``ray``

            self._table = self._stack.enter_context(pq.ParquetWriter(self._file, row_schema()))
        return self

    def add(self, row: FleetRow) -> None:
        """Write a row."""
        if self._file is None:
            return
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS or self._table is None:
            self._flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._flush()
        finally:
            self._stack.close()

    def _flush(self) -> None:
        rows = [row.to_dict() for row in self._waiting]
        self._waiting.clear()
        if self._table is not None and rows:
            import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``

            texts = [{name: _as_text(value) for name, value in row.items()} for row in rows]
            self._table.write_table(pa.Table.from_pylist(texts, schema=row_schema()))
        elif rows:
            self._file.write("".join(f"{json.dumps(row)}\n" for row in rows).encode())


def _as_text(value: Any) -> Any:
    """File names may hold bytes that are not text, which a table cannot."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def _remove(out: Store, name: str) -> None:
    folder = out.path(name)
    if out.fs.exists(folder):
        out.fs.rm(folder, recursive=True)


def _is_hexadecimal(name: str) -> bool:
    return bool(name) and not set(name) - set("0123456789abcdef")


def _listed(names: Iterable[str]) -> str:
    return " nor ".join(names)
