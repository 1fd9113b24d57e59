"""What was done with each picture, in a small database beside the results.

A run that was ended at any moment goes on from it: a row is there before a result is begun, and
says ``done`` only after the result has its name. One run at a time can hold it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from fixative.errors import SettingError
from fixative.pictures.naming import shown

NAME = ".fixative-ledger.sqlite"
BEGUN, DONE, FAILED = "begun", "done", "failed"
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    source BLOB PRIMARY KEY, base BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT, settings TEXT NOT NULL, output BLOB NOT NULL, output_size INTEGER,
    output_mtime_ns INTEGER, output_sha256 TEXT, status TEXT NOT NULL, error TEXT, seconds REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_output ON pictures (output);
CREATE INDEX IF NOT EXISTS unfinished ON pictures (status) WHERE status = 'begun';
"""


@dataclass(frozen=True)
class Entry:
    """What became of one picture.

    Attributes:
        source: path relative to the inputs' common folder, as the system's bytes.
        base: that folder.
        size: of the source, in bytes.
        mtime_ns: when the source was last changed.
        sha256: of the source's bytes; None if they could not be read.
        settings: hash of everything else that the result depends on.
        output: path of the result relative to its folder.
        output_size: in bytes; None where there is no result.
        output_mtime_ns: likewise.
        output_sha256: likewise.
        status: ``begun``, ``done`` or ``failed``.
        error: one line that says why it failed.
        seconds: that it took.
    """

    source: bytes
    base: bytes
    size: int
    mtime_ns: int
    sha256: str | None
    settings: str
    output: bytes
    output_size: int | None = None
    output_mtime_ns: int | None = None
    output_sha256: str | None = None
    status: str = BEGUN
    error: str | None = None
    seconds: float | None = None


_COLUMNS = ", ".join(field.name for field in fields(Entry))
_PLACES = ", ".join("?" for _ in fields(Entry))


class Ledger:
    """The open database; made by ``open_ledger``."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path

    def of_source(self, source: bytes) -> Entry | None:
        """The newest row of a source."""
        return self._one("source", source)

    def of_output(self, output: bytes) -> Entry | None:
        """A row whose result is at this place."""
        return self._one("output", output)

    def unfinished(self) -> Iterator[Entry]:
        """Rows of pictures that were begun and not finished."""
        query = f"SELECT {_COLUMNS} FROM pictures WHERE status = 'begun'"  # as its index says
        for row in self._connection.execute(query):
            yield Entry(*row)

    def put(self, entry: Entry) -> None:
        """Write a source's row; it is on the disk when this returns."""
        with self._connection:
            self._connection.execute(
                f"INSERT OR REPLACE INTO pictures ({_COLUMNS}) VALUES ({_PLACES})", astuple(entry)
            )

    def counts(self) -> dict[str, int]:
        """How many rows have each status."""
        query = "SELECT status, COUNT(*) FROM pictures GROUP BY status"
        return dict(self._connection.execute(query).fetchall())

    def _one(self, column: str, value: bytes) -> Entry | None:
        query = f"SELECT {_COLUMNS} FROM pictures WHERE {column} = ?"
        row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else Entry(*row)


@contextmanager
def open_ledger(out: Path) -> Generator[Ledger]:
    """Open or begin the ledger of a results folder, for this run alone.

    Args:
        out: the folder for the results; it is there.

    Raises:
        SettingError: another run holds it, it is damaged, or of a later version.
        sqlite3.OperationalError: the disk is full.
    """
    path = out / NAME
    connection = sqlite3.connect(path, timeout=1)
    try:
        with _clear(path):
            _prepare(connection, path)
        yield Ledger(connection, path)
    finally:
        connection.close()


def path_bytes(path: Path) -> bytes:
    """A relative path as the ledger keeps it: forward slashes, any bytes."""
    return os.fsencode(path.as_posix())


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN EXCLUSIVE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise SettingError(
            f"{shown(path)}: was kept by another version of Fixative ({version}, expected "
            f"{_VERSION}); update Fixative, or choose another --out"
        )
    connection.commit()
    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.commit()


@contextmanager
def _clear(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise SettingError(
                f"{shown(path.parent)}: another run is at work there; wait until it has ended, or "
                "choose another --out"
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        raise SettingError(
            f"{shown(path)}: is damaged ({error}); remove it, and add --overwrite to protect "
            "everything anew"
        ) from error
