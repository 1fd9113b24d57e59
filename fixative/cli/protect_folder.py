"""The run behind ``fixative protect FOLDER``: any number of pictures in the same memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from fixative.batch import (
    FileOptions,
    FileResult,
    Plan,
    batch_report,
    build_protector,
    check_writable,
    describe_engine,
    write_report,
)
from fixative.batch.decide import Decider, settings_hash
from fixative.batch.here import Here
from fixative.batch.job import Finished
from fixative.batch.ledger import open_ledger
from fixative.batch.lines import result_lines
from fixative.batch.listing import Listing, Refused
from fixative.batch.pipeline import Pipeline
from fixative.batch.plan import FileTask
from fixative.batch.pool import pool
from fixative.batch.signals import Stop, stopping
from fixative.batch.stream import Crew, DiskFullError, Streaming
from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.folder_progress import Counting, folder_progress
from fixative.cli.request import Request
from fixative.cli.summary import print_tally
from fixative.cli.tally import Tally
from fixative.errors import SettingError
from fixative.pictures import refuse_existing
from fixative.pictures.picture import Pixels

#: Fewer pictures than this are not worth the seconds that worker processes take to start.
WORTH_WORKERS = 16


@dataclass
class _Run:
    """What a run has done so far."""

    tally: Tally = field(default_factory=Tally)
    kept: list[FileResult] = field(default_factory=list[FileResult])
    engine: dict[str, Any] = field(default_factory=dict[str, Any])
    full: str | None = None


def run_folders(request: Request, options: FileOptions) -> int:
    """Protect what was asked for, print the summary, and return the exit code.

    Raises:
        FixativeError: a setting or a model file is bad; no picture was begun.
        OSError: the output folder cannot be written to; no picture was begun.
    """
    run, listing = _Run(), _listing(request, options)
    _check_targets(request, options, listing)
    tasks = (found for found in listing if isinstance(found, FileTask))
    first = list(islice(tasks, WORTH_WORKERS))
    with stopping() as stop:
        if first:
            _protect_all(request, options, listing, run, stop, few=len(first) < WORTH_WORKERS)
        else:
            _tell_refused(listing, run)
        ended_early = stop() or run.full is not None
        left = _left(request, options, run) if ended_early else None
        print_tally(results(), run.tally, listing.skipped, not_done=left)
        _write_report(request, listing, run, left or 0, interrupted=ended_early)
    if run.full is not None:
        say(messages(), f"error: {run.full}")
    if stop():
        return INTERRUPTED
    return BAD_INPUT if run.tally.failed or run.full else 0


def _listing(request: Request, options: FileOptions) -> Listing:
    return Listing(request.inputs, request.out, output=options.output, filters=request.filters)


def _check_targets(request: Request, options: FileOptions, listing: Listing) -> None:
    if request.workers is not None and request.workers < 1:
        raise SettingError(f"workers: expected 1 or more, got {request.workers}")
    if options.batch < 1:
        raise SettingError(f"batch: expected 1 or more, got {options.batch}")
    for path in (request.report, request.lines):
        if path is not None and listing.is_input(path):
            refuse_existing(path, overwrite=request.overwrite, inputs=(path,))
    if request.report is not None:
        refuse_existing(request.report, overwrite=request.overwrite)


def _protect_all(
    request: Request,
    options: FileOptions,
    listing: Listing,
    run: _Run,
    stop: Stop,
    *,
    few: bool,
) -> None:
    console = messages()
    if not options.output.lossless:
        say(console, f"warning: {options.output.name} is lossy and weakens the protection")
    for folder in (request.out, *(p.parent for p in (request.report, request.lines) if p)):
        check_writable(folder)
    with (
        _crew(request, options, run, few=few) as crew,
        open_ledger(request.out) as ledger,
        result_lines(request.lines, overwrite=request.overwrite) as write_line,
    ):
        settings = settings_hash(_described(request, options, run))
        decider = Decider(listing, ledger, settings, overwrite=request.overwrite)
        streaming = Streaming(listing, decider, stop)
        counting = Counting(_listing(request, options))
        try:
            with folder_progress(console) as bar:
                task = bar.add_task("", total=None)
                for finished in streaming.run(crew):
                    write_line(finished)
                    _note(run, finished, keep=request.report is not None)
                    bar.update(task, advance=1, total=counting.known)
        except DiskFullError as error:
            run.full = str(error)


@contextmanager
def _crew(request: Request, options: FileOptions, run: _Run, *, few: bool) -> Generator[Crew]:
    """Workers, or this process for a few pictures; what the engine is goes into ``run``."""
    protector = build_protector(request.engine)
    run.engine.update(describe_engine(request.engine, protector))
    if few and request.workers is None:
        yield Here(Pipeline(protector, options))
        return
    del protector
    workers = request.workers or (_cores() if request.engine.device == "cpu" else 1)
    with pool(request.engine, options, workers=workers) as crew:
        yield crew


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _described(request: Request, options: FileOptions, run: _Run) -> dict[str, Any]:
    """Everything besides a picture that its result depends on, in JSON types."""
    mask = None if options.mask is None else _mask_sha256(options.mask)
    settings = asdict(request.engine.settings)
    return {**run.engine, "settings": settings, "format": request.output, "mask": mask}


def _mask_sha256(mask: Pixels) -> str:
    return hashlib.sha256(repr(mask.shape).encode() + mask.tobytes()).hexdigest()


def _tell_refused(listing: Listing, run: _Run) -> None:
    for found in listing:
        if isinstance(found, Refused):
            _note(run, Finished(FileResult(found.source, error=found.line)), keep=True)


def _note(run: _Run, finished: Finished, *, keep: bool) -> None:
    result = finished.result
    run.tally.add(result)
    if keep:
        run.kept.append(result)
    if result.error is not None:
        say(messages(), f"failed: {result.error}")


def _left(request: Request, options: FileOptions, run: _Run) -> int:
    total = sum(1 for _ in _listing(request, options))
    return max(0, total - run.tally.count)


def _write_report(
    request: Request, listing: Listing, run: _Run, left: int, *, interrupted: bool
) -> None:
    if request.report is None:
        return
    report = batch_report(
        request.engine,
        run.engine,
        Plan(skipped=listing.skipped),
        run.kept,
        output=request.output,
        interrupted=interrupted,
        not_reached=left,
    )
    write_report(request.report, report, overwrite=request.overwrite)
