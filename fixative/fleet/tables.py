"""Rows on the disk: the list of what is to do, and the results, as Parquet or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from fixative.errors import SettingError
from fixative.fleet.rows import FleetRow, FleetTask
from fixative.fleet.storage import Store
from fixative.pictures.atomic import atomic_file

_ROWS = 10_000
_SUFFIXES = (".jsonl", ".parquet")


def task_schema() -> Any:
    """Arrow's schema of ``FleetTask``."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``

    text = pa.string()
    return pa.schema(
        [("source", text), ("output", text), ("size", pa.int64()), ("note", text)],
    )


def row_schema() -> Any:
    """Arrow's schema of ``FleetRow``."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    fields = FleetRow.__dataclass_fields__.values()
    return pa.schema([(one.name, kinds[str(one.type).partition(" ")[0]]) for one in fields])


class TaskList:
    """The pictures to protect, as Parquet files beside the results, so that all machines read them.

    Args:
        out: the store of the results.
        folder: of the job, in it; removed by ``remove`` with all that lies there.
    """

    def __init__(self, out: Store, folder: str) -> None:
        self._out, self._folder = out, folder
        self.parts: list[str] = []
        self.count = 0

    def write(self, tasks: Iterable[FleetTask]) -> None:
        """Write the list, some thousand rows in memory at a time."""
        import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``
        import pyarrow.parquet as pq  # noqa: PLC0415

        for rows in _chunks(tasks, _ROWS):
            name = f"{self._folder}/part-{len(self.parts):06d}.parquet"
            table = pa.Table.from_pylist([asdict(row) for row in rows], schema=task_schema())
            buffer = pa.BufferOutputStream()
            pq.write_table(table, buffer)
            self._out.put_bytes(buffer.getvalue().to_pybytes(), name)
            self.parts.append(self._out.path(name))
            self.count += len(rows)

    def remove(self) -> None:
        """Remove the list; the results do not need it."""
        folder = self._out.path(self._folder)
        if self._out.fs.exists(folder):
            self._out.fs.rm(folder, recursive=True)


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

            self._table.write_table(pa.Table.from_pylist(rows, schema=row_schema()))
        elif rows:
            self._file.write("".join(f"{json.dumps(row)}\n" for row in rows).encode())


def _chunks(tasks: Iterable[FleetTask], size: int) -> Iterator[list[FleetTask]]:
    left = iter(tasks)
    while chunk := list(islice(left, size)):
        yield chunk


def _listed(names: Iterable[str]) -> str:
    return " nor ".join(names)
