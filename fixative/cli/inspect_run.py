"""The run behind ``fixative inspect``: find, read, inspect, tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from fixative.batch import check_writable, write_report
from fixative.batch.plan import find_pictures
from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.progress import files_progress
from fixative.detector import Detector, Inspection
from fixative.errors import FixativeError
from fixative.mixture import load_mixture
from fixative.pictures import ReadLimits, read_picture, refuse_existing
from fixative.pictures.naming import shown
from fixative.provenance import provenance
from fixative.traces import MATCH, SURE_MATCH

MEANING = (
    "The chance holds where every other picture is protected, by methods like those the detector "
    "was fitted on. A low one is no proof: a protection that it never met, a weak one, or one that "
    "was resized or saved as JPEG may leave no trace. Nor does it say how well a picture is "
    "protected; fixative evaluate measures that."
)


@dataclass(frozen=True)
class InspectRequest:
    """What the person asked for; names as on the command line."""

    inputs: tuple[Path, ...]
    mixture: Path | None
    report: Path | None
    overwrite: bool
    max_megapixels: float


@dataclass
class Findings:
    """What a run has found so far."""

    found: list[tuple[Path, Inspection]] = field(default_factory=list[tuple[Path, Inspection]])
    failures: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 all done, 2 something failed, 130 interrupted."""
        if self.interrupted:
            return INTERRUPTED
        return BAD_INPUT if self.failures else 0


def run(request: InspectRequest) -> int:
    """Inspect what was asked for, print a line a picture, and return the exit code.

    Raises:
        FixativeError: a setting or a weights file is bad; no picture was begun.
        OSError: the report cannot be written.
    """
    pictures, plan = find_pictures(request.inputs)
    if request.report is not None:
        refuse_existing(request.report, overwrite=request.overwrite, inputs=pictures)
        check_writable(request.report.parent)
    console = messages()
    findings = Findings(failures=list(plan.failures))
    for _, line in plan.failures:
        say(console, f"failed: {line}")
    try:
        if pictures:
            _inspect_all(request, pictures, findings, console)
    except KeyboardInterrupt:
        findings.interrupted = True
    _tell_end(findings, len(pictures) + len(plan.failures))
    if request.report is not None:
        write_report(request.report, _report(findings), overwrite=request.overwrite)
    return findings.exit_code


def describe(path: Path, inspection: Inspection) -> str:
    """One picture in a line."""
    line = f"{shown(path)}: {inspection.verdict}, {_percent(inspection.probability)}"
    match = inspection.features.get(MATCH)
    if match is not None and match > SURE_MATCH:
        line += f"; carries the mixture's own pattern ({match:.0f} deviations above chance)"
    return line


def _inspect_all(
    request: InspectRequest, pictures: Sequence[Path], findings: Findings, console: Console
) -> None:
    limits = ReadLimits(megapixels=request.max_megapixels)
    detector = Detector(mixture=load_mixture(request.mixture))
    with files_progress(console, "inspecting") as progress:
        for path in progress.track(pictures, total=len(pictures)):
            try:
                [inspection] = detector.inspect(read_picture(path, limits=limits).images())
            except FixativeError as error:
                findings.failures.append((path, " ".join(str(error).split())))
                say(console, f"failed: {findings.failures[-1][1]}")
                continue
            findings.found.append((path, inspection))
            say(results(), describe(path, inspection))


def _tell_end(findings: Findings, count: int) -> None:
    parts = [f"{len(findings.found)} inspected", f"{len(findings.failures)} failed"]
    if findings.interrupted:
        parts.append(
            f"interrupted, {count - len(findings.found) - len(findings.failures)} not done"
        )
    if findings.found:
        say(results(), MEANING)
    say(results(), ", ".join(parts))


def _percent(probability: float) -> str:
    percent = 100 * probability
    if percent > 99:
        return "over 99 %"
    return "under 1 %" if percent < 1 else f"{percent:.0f} %"


def _report(findings: Findings) -> dict[str, Any]:
    return {
        "pictures": [{"path": str(path), **found.to_dict()} for path, found in findings.found],
        "failures": [{"path": str(path), "error": line} for path, line in findings.failures],
        "interrupted": findings.interrupted,
        "meaning": MEANING,
        "provenance": provenance(),
    }
