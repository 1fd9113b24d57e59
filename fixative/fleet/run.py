"""Protect the pictures of a store on many machines, or on all cores of this one, with Ray."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from fixative.errors import FixativeError, SettingError
from fixative.fleet.cluster import (
    cluster,
    protected_rows,
    require_ray,
    tasks_together,
    terminated_as_interrupted,
)
from fixative.fleet.job import FleetRequest, begin_job
from fixative.fleet.listing import Walk
from fixative.fleet.rows import FAILED, KEPT, PROTECTED, FleetRow
from fixative.fleet.storage import Store, open_store
from fixative.fleet.tables import ResultsFile, TaskList, remove_stale
from fixative.pictures import output_format


@dataclass
class FleetSummary:
    """What a job did.

    Attributes:
        found: pictures to protect.
        counts: of ``protected``, ``kept`` and ``failed``, folders that failed included.
        skipped: files that are no pictures, by suffix or as ``hidden``, and what was filtered out.
        seconds: from the listing to the last result.
        interrupted: the person stopped it.
    """

    found: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    skipped: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def protected(self) -> int:
        """Made in this run."""
        return self.counts[PROTECTED]

    @property
    def kept(self) -> int:
        """Done by an earlier run with the same settings."""
        return self.counts[KEPT]

    @property
    def failed(self) -> int:
        """Pictures and folders that could not be done."""
        return self.counts[FAILED]


def run_fleet(
    request: FleetRequest, *, on_row: Callable[[FleetRow, int], None] | None = None
) -> FleetSummary:
    """Protect the pictures of a store; run again, it goes on where it was.

    Args:
        request: what the person asked for.
        on_row: told each row as it comes, and how many there will be.

    Raises:
        SettingError: Ray is not installed or not there, or a store cannot be read or written.
        FixativeError: the engine cannot be loaded, here or by a worker.
    """
    require_ray()
    start = time.perf_counter()
    results = _results_file(request)
    _check_apart(*request.everywhere().stores())
    job = begin_job(request)
    source, out = job.stores()
    summary = FleetSummary()
    walk = Walk(source, out, output_format(request.output).suffix, request.filters)
    tasks = TaskList(out, job.folder, together=tasks_together(request))
    try:
        _prepare(out, tasks, walk)
        summary.found, summary.skipped = tasks.count, walk.skipped
        with results:
            for row in (*walk.failures, *_lacking(source, tasks)):
                _take(row, results, summary, on_row)
            with (
                cluster(request),
                terminated_as_interrupted(),
                closing(protected_rows(job, tasks)) as rows,
            ):
                for row in rows:
                    _take(row, results, summary, on_row)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        tasks.remove()
    summary.seconds = time.perf_counter() - start
    return summary


def _prepare(out: Store, tasks: TaskList, walk: Walk) -> None:
    try:
        remove_stale(out)
        tasks.write(walk.tasks())
    except FixativeError:
        raise
    except Exception as error:  # each store's client has failures of its own
        line = " ".join(str(error).split()) or type(error).__name__
        raise SettingError(
            f"{out.label('')}: cannot be written to ({line}); give a folder or bucket that exists "
            "and may be written to"
        ) from error


def _take(
    row: FleetRow,
    results: ResultsFile,
    summary: FleetSummary,
    on_row: Callable[[FleetRow, int], None] | None,
) -> None:
    results.add(row)
    summary.counts[row.status] += 1
    if on_row is not None:
        on_row(row, summary.found)


def _results_file(request: FleetRequest) -> ResultsFile:
    if request.results is None:
        return ResultsFile(None)
    place = open_store(request.results, request.options_for(request.results))
    return ResultsFile(place, overwrite=request.overwrite)


def _lacking(source: Store, tasks: TaskList) -> list[FleetRow]:
    if tasks.count:
        return []
    return [FleetRow("", error=f"{source.label('')}: holds no pictures; give another folder")]


def _check_apart(source: Store, out: Store) -> None:
    if type(source.fs) is type(out.fs) and source.root == out.root:
        raise SettingError("out: is the folder of the sources; choose another one")
