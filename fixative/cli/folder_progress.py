"""One bar for a run over folders: how many, how fast, how long yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from fixative.batch.listing import Listing


class RateColumn(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        """Nothing until it is known."""
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


def folder_progress(console: Console) -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    return Progress(
        TextColumn("protecting"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class Counting:
    """Counts what a listing finds, in a thread beside the run.

    Args:
        listing: of its own, as the run goes through another.
    """

    def __init__(self, listing: Listing) -> None:
        self._count, self._listing = 0, listing
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def known(self) -> int | None:
        """How many there are; None as long as they are being counted."""
        return None if self._thread.is_alive() else self._count

    def wait(self) -> int:
        """How many there are, however long counting takes."""
        self._thread.join()
        return self._count

    def _run(self) -> None:
        self._count = _length(self._listing)


def _length(items: Iterable[object]) -> int:
    return sum(1 for _ in items)
