"""The run behind ``fixative evaluate``: load, measure with one progress bar, report."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.errors import SettingError
from fixative.evaluation import (
    Protocol,
    Results,
    evaluate,
    load_protocol,
    load_tools,
    subjects_of_folder,
)
from fixative.evaluation.markdown import markdown_tables, worst_table
from fixative.evaluation.report import write_report
from fixative.evaluation.rows import FAILED
from fixative.evaluation.run import OnProgress
from fixative.evaluation.run import Progress as Step
from fixative.pictures.naming import shown

#: Of what is being done, so many characters fit beside the bar.
_WIDTH = 64
#: How often a line is printed where no progress bar can be drawn, in cells.
_LINE_EVERY = 50


@dataclass(frozen=True)
class Request:
    """What the person asked for; names as on the command line."""

    protocol: str
    images: Path
    out: Path
    codecs: tuple[str, ...]
    mixture: Path | None
    denoiser: str | None
    pictures: int | None
    threads: int | None
    device: str | None
    markdown: bool
    fresh: bool


def run(request: Request) -> int:
    """Carry it out, print tables, and return the exit code.

    Raises:
        FixativeError: protocol, pictures, codecs or folder cannot be used; nothing was begun.
        OSError: the folder cannot be written to.
    """
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    protocol = _protocol(request)
    subjects = subjects_of_folder(request.images, out=request.out)
    tools = load_tools(
        protocol,
        mixture=request.mixture,
        denoiser=request.denoiser,
        device=_device(request.device),
    )
    try:
        with _progress() as on_progress:
            found = evaluate(
                protocol,
                subjects,
                request.out,
                tools=tools,
                on_progress=on_progress,
                fresh=request.fresh,
            )
    except KeyboardInterrupt:
        say(messages(), "interrupted; nothing is lost: the same command goes on from here")
        return INTERRUPTED
    report = write_report(found, request.out)
    return _conclude(found, report, markdown=request.markdown)


def _protocol(request: Request) -> Protocol:
    protocol = load_protocol(request.protocol)
    if request.codecs:
        protocol = replace(protocol, codecs=request.codecs)
    if request.pictures is not None:
        protocol = replace(protocol, pictures=request.pictures)
    return protocol


def _device(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        torch.zeros((), device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        told = str(error).partition("\n")[0]
        raise SettingError(f"device: {name!r} cannot be used here ({told}); try cpu") from error
    return name


def _conclude(found: Results, report: Path, *, markdown: bool) -> int:
    console = results()
    for line in (markdown_tables(found) if markdown else worst_table(found)).splitlines():
        say(console, line)
    failures = found.failures
    for note in dict.fromkeys(f"{row.picture}: {row.note}" for row in failures):
        say(console, f"failed: {note}")
    skipped = sum(row.status not in ("done", FAILED) for row in found.rows)
    parts = [f"{len(found.rows)} cells", f"{len(failures)} failed", f"{skipped} not run"]
    say(console, f"{', '.join(parts)}; report: {shown(report)}")
    return BAD_INPUT if failures else 0


@contextmanager
def _progress() -> Generator[OnProgress]:
    """A bar on a terminal; elsewhere a line now and then."""
    console = messages()
    columns = (
        TextColumn("evaluating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def on_progress(step: Step) -> None:
            doing = shown(step.doing)[:_WIDTH]
            bar.update(task, completed=step.done, total=step.total, description=doing)
            if step.row is not None and step.row.status == FAILED:
                say(console, f"failed: {step.doing}: {step.row.note}")
            elif step.row is not None and not console.is_terminal and not step.done % _LINE_EVERY:
                say(console, f"{step.done}/{step.total} {step.doing}")

        yield on_progress
