"""The run behind ``fixative protect --engine ray``: folders and buckets, on many machines."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fixative.batch import FileResult
from fixative.batch.memory import KEEP_FREED, inherited
from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.folder_progress import folder_progress
from fixative.cli.request import Request
from fixative.cli.summary import print_tally
from fixative.cli.tally import Tally
from fixative.errors import SettingError
from fixative.pictures import output_format

if TYPE_CHECKING:
    from fixative.fleet import FleetRequest, FleetRow, FleetSummary


@dataclass(frozen=True)
class FleetOptions:
    """What only Ray understands, and the names that may be URLs, as they were typed."""

    inputs: tuple[str, ...]
    out: str
    lines: str | None
    address: str | None
    check: bool


def refuse_fleet_options(options: FleetOptions) -> None:
    """Raise SettingError for what only Ray understands, before a URL is taken for a path."""
    for name, text in (
        *(("", text) for text in options.inputs),
        ("--out: ", options.out),
        ("--results: ", options.lines or ""),
    ):
        if "://" in text:
            raise SettingError(f"{name}{text} is a URL, which needs --engine ray")
    for name, given in (("--address", options.address), ("--check", options.check)):
        if given:
            raise SettingError(f"{name}: is for --engine ray; add that, or leave {name} out")


def run_on_ray(request: Request, options: FleetOptions) -> int:
    """Protect what was asked for, print the summary, and return the exit code.

    Raises:
        FixativeError: a setting, a store, the cluster or a model file is bad.
    """
    _refuse_local_options(request)
    order = _order(request, options)
    from fixative.fleet import run_fleet  # noqa: PLC0415 - an extra, which _order found

    console, output = messages(), output_format(request.output)
    if not output.lossless:
        say(console, f"warning: {output.name} is lossy and weakens the protection")
    tally = Tally()
    with folder_progress(console) as bar:
        task = bar.add_task("", total=None)

        def on_row(row: FleetRow, found: int) -> None:
            tally.add(_result(row))
            if row.error:
                say(console, f"failed: {row.error}")
            bar.update(task, completed=tally.count, total=found)

        # Ray prints on stdout what it has to say; workers on this machine inherit.
        with redirect_stdout(sys.stderr), inherited(KEEP_FREED):
            summary = run_fleet(order, on_row=on_row)
    left = summary.found - tally.count if summary.interrupted else None
    print_tally(results(), tally, summary.skipped, not_done=left, table=False)
    return _exit_code(summary)


def _exit_code(summary: FleetSummary) -> int:
    if summary.interrupted:
        return INTERRUPTED
    return BAD_INPUT if summary.failed else 0


def _refuse_local_options(request: Request) -> None:
    for name, given in (("--mask", request.mask), ("--json", request.report)):
        if given is not None:
            hint = "; --results tells what became of each picture" if name == "--json" else ""
            raise SettingError(f"{name}: does not work with --engine ray; leave it out{hint}")
    if request.engine.device != "cpu":
        raise SettingError(f"--device {request.engine.device}: workers of --engine ray take cores")
    if request.batch is not None:
        raise SettingError("--batch: workers of --engine ray encode one by one; leave it out")
    if len(request.inputs) != 1:
        raise SettingError(
            f"--engine ray: expected one folder or picture, got {len(request.inputs)}; "
            "run it once for each, or give the folder above them and --include"
        )
    if request.workers is not None and request.workers < 1:
        raise SettingError(f"workers: expected 1 or more, got {request.workers}")


def _order(request: Request, options: FleetOptions) -> FleetRequest:
    try:
        from fixative.fleet import FleetRequest  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingError(
            f"--engine ray: needs a package that is not installed ({error}); "
            "install fixative[ray], or leave --engine out to use this machine's cores"
        ) from error
    workers, here = request.workers, options.address is None
    return FleetRequest(
        source=options.inputs[0],
        out=options.out,
        engine=request.engine,
        output=request.output,
        filters=request.filters,
        overwrite=request.overwrite,
        check=options.check,
        max_megapixels=request.max_megapixels,
        address=options.address,
        workers=None if workers is None else (workers if here else 1, workers),
        results=options.lines,
    )


def _result(row: FleetRow) -> FileResult:
    return FileResult(
        Path(row.source),
        Path(row.output) if row.output else None,
        seconds=row.seconds,
        error=row.error or None,
        warnings=(row.warnings,) if row.warnings else (),
        unchanged=row.status == "kept",
    )
