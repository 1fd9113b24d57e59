"""The run behind ``fixative evaluate``: load, measure with one progress bar, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.progress import tasks_progress
from fixative.devices import require_device
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
from fixative.pictures.naming import shown


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
        with tasks_progress("evaluating") as on_progress:
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
    if name is not None:
        require_device(name)
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
