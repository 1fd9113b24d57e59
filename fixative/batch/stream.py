"""A folder of any size: list, skip what is done, hand out, and keep the ledger true.

Order of events for each picture: its row says ``begun``; a worker writes the whole result under
its name; the row says ``done``. Whatever moment a run is ended at, the next one finds out what is
there: a result of a row that says ``begun`` is made again, from the same bytes with the same
settings, and replaces it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fixative.batch.decide import Decider
from fixative.batch.job import Finished, Job
from fixative.batch.listing import Listing, Refused
from fixative.batch.run import FileResult
from fixative.errors import FixativeError
from fixative.pictures.naming import shown


class Crew(Protocol):
    """Whoever carries out jobs."""

    def run(self, items: Iterable[Job | Finished]) -> Iterator[Finished]: ...


class DiskFullError(FixativeError):
    """There is no more room for results; what was begun is finished or undone."""


class Streaming:
    """One run over a listing.

    Args:
        listing: the pictures.
        decider: says what is to be done with each, and keeps the ledger.
        stopped: asked before each picture; True ends the run after what is begun.
    """

    def __init__(
        self, listing: Listing, decider: Decider, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._listing, self._decider, self._stopped = listing, decider, stopped
        self._full = False

    def run(self, crew: Crew) -> Iterator[Finished]:
        """Protect what is not done yet, giving each as it is ready.

        Raises:
            DiskFullError: no room is left; raised after what was begun is finished.
        """
        try:
            self._decider.tidy()
            for finished in crew.run(self._items()):
                self._full = self._full or finished.disk_full
                self._decider.keep(finished)
                yield finished
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            self._full = True
        if self._full:
            raise DiskFullError(
                f"{shown(self._listing.out)}: the disk is full; make room, and the same command "
                "goes on from here"
            )

    def _items(self) -> Iterator[Job | Finished]:
        for found in self._listing:
            if self._full or self._stopped():
                return
            if isinstance(found, Refused):
                yield Finished(FileResult(found.source, error=found.line))
            elif (item := self._decider.decide(found)) is not None:
                yield item
