"""The list of a job as Ray reads it; needs the extra ``ray``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from fixative.fleet.storage import Store

#: The only column of the tables that go to the workers and come back.
COLUMN = "json"


class TaskSource(Datasource):
    """Gives the lines of the lists one by one, so that Ray can hand out each of them alone.

    Args:
        out: the store of the results.
        parts: names of the lists in it.
    """

    def __init__(self, out: Store, parts: list[str]) -> None:
        super().__init__()
        self._out, self._parts = out, parts

    def get_name(self) -> str:
        """What Ray calls it in its messages."""
        return "FixativeTasks"

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known, and small."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **settings: Any) -> list[ReadTask]:
        """A task for each list."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(reader(self._out, part), unknown) for part in self._parts]


def reader(out: Store, part: str) -> Callable[[], Iterator[Any]]:
    """What reads one list."""
    return partial(_lines, out, part)


def one_row(text: str) -> Any:
    """A table of one row."""
    return pa.table({COLUMN: [text]})


def _lines(out: Store, part: str) -> Iterator[Any]:
    content = out.read(part)
    if content is None:
        raise FileNotFoundError(f"the list {out.label(part)} has gone; run the same command again")
    yield from map(one_row, content.decode().splitlines())
