"""The run behind ``fixative protect``: plan, load, protect, report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from fixative.batch import (
    FileOptions,
    FileResult,
    Plan,
    batch_report,
    build_protector,
    check_writable,
    describe_engine,
    plan_files,
    protect_files,
    write_report,
)
from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.progress import files_progress
from fixative.cli.protect_folder import run_folders
from fixative.cli.request import Request
from fixative.cli.summary import print_summary
from fixative.errors import SettingError
from fixative.pictures import ReadLimits, output_format, read_mask, refuse_existing


@dataclass
class Outcome:
    """What a run has done so far."""

    plan: Plan
    results: list[FileResult]
    engine: dict[str, Any]
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 all done, 2 something failed, 130 interrupted."""
        if self.interrupted:
            return INTERRUPTED
        failed = self.plan.failures or any(result.error for result in self.results)
        return BAD_INPUT if failed else 0


def run(request: Request) -> int:
    """Protect what was asked for, print the summary, and return the exit code.

    Raises:
        FixativeError: a setting or a model file is bad; no picture was begun.
        OSError: the output folder cannot be written to; no picture was begun.
    """
    console = messages()
    options = _options(request)
    if any(path.is_dir() for path in request.inputs):
        return run_folders(request, options)
    _refuse_folder_options(request)
    plan = plan_files(request.inputs, request.out, output=options.output)
    sources = tuple(task.source for task in plan.tasks)
    if request.report is not None:
        refuse_existing(request.report, overwrite=request.overwrite, inputs=sources)
    for _, line in plan.failures:
        say(console, f"failed: {line}")
    outcome = Outcome(plan, [], {})
    try:
        _protect_all(request, options, outcome, console)
    except KeyboardInterrupt:
        outcome.interrupted = True
    print_summary(results(), outcome.plan, outcome.results, interrupted=outcome.interrupted)
    _write_report(request, outcome)
    return outcome.exit_code


def _refuse_folder_options(request: Request) -> None:
    asked = {
        "--include": bool(request.filters.include),
        "--exclude": bool(request.filters.exclude),
        "--workers": request.workers is not None,
        "--batch": request.batch is not None,
        "--results": request.lines is not None,
    }
    names = [name for name, given in asked.items() if given]
    if names:
        raise SettingError(f"{names[0]}: is for folders, but only files were named; leave it out")


def _options(request: Request) -> FileOptions:
    limits = ReadLimits(megapixels=request.max_megapixels)
    return FileOptions(
        output=output_format(request.output),
        overwrite=request.overwrite,
        mask=None if request.mask is None else read_mask(request.mask, limits=limits),
        measure_pull=request.report is not None,
        limits=limits,
        batch=1 if request.batch is None else request.batch,
    )


def _protect_all(
    request: Request, options: FileOptions, outcome: Outcome, console: Console
) -> None:
    tasks = outcome.plan.tasks
    if not tasks:
        return
    if not options.output.lossless:
        say(console, f"warning: {options.output.name} is lossy and weakens the protection")
    check_writable(request.out)
    if request.report is not None:
        check_writable(request.report.parent)
    protector = build_protector(request.engine)
    outcome.engine = describe_engine(request.engine, protector)
    with files_progress(console, "protecting") as progress:
        for result in progress.track(protect_files(tasks, protector, options), total=len(tasks)):
            outcome.results.append(result)
            if result.error:
                say(console, f"failed: {result.error}")


def _write_report(request: Request, outcome: Outcome) -> None:
    if request.report is None:
        return
    report = batch_report(
        request.engine,
        outcome.engine,
        outcome.plan,
        outcome.results,
        output=request.output,
        interrupted=outcome.interrupted,
    )
    write_report(request.report, report, overwrite=request.overwrite)
