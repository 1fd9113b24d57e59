"""The table at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fixative.batch import FileResult, Plan
from fixative.cli.console import say
from fixative.pictures.naming import shown

MOST_ROWS = 100


def print_summary(
    console: Console, plan: Plan, results: Sequence[FileResult], *, interrupted: bool
) -> None:
    """Print what was done, what to know, and what failed."""
    done = [result for result in results if result.error is None]
    if done:
        console.print(_table(done[:MOST_ROWS]))
    if len(done) > MOST_ROWS:
        say(console, f"and {len(done) - MOST_ROWS} more")
    for note, count in Counter(note for result in done for note in result.warnings).items():
        names = [shown(result.source.name) for result in done if note in result.warnings]
        which = ", ".join(names[:3]) + (f" and {count - 3} more" if count > 3 else "")
        say(console, f"note: {which}: {note}")
    failed = [line for _, line in plan.failures] + [r.error for r in results if r.error]
    for line in failed:
        say(console, f"failed: {line}")
    say(console, _last_line(plan, results, len(done), len(failed), interrupted=interrupted))


def _last_line(
    plan: Plan, results: Sequence[FileResult], done: int, failed: int, *, interrupted: bool
) -> str:
    parts = [f"{done} protected", f"{failed} failed"]
    if plan.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(plan.skipped.items()))
        parts.append(f"{plan.skipped.total()} skipped ({kinds})")
    if interrupted:
        parts.append(f"interrupted, {len(plan.tasks) - len(results)} not done")
    return ", ".join(parts)


def _table(results: Sequence[FileResult]) -> Table:
    measured = any(result.pull is not None for result in results)
    table = Table()
    table.add_column("result", overflow="fold")
    for name in ("group", "target", "max /255", "mean /255", "PSNR dB", "seconds"):
        table.add_column(name, justify="right")
    if measured:
        table.add_column("pull", justify="right")
    for result in results:
        table.add_row(*_row(result, measured=measured))
    return table


def _row(result: FileResult, *, measured: bool) -> list[Text]:
    report, change = result.report, result.change
    assert report is not None
    assert change is not None
    cells = [
        shown(result.output or Path()),
        str(report.group),
        report.target,
        str(change.largest),
        f"{change.mean:.2f}",
        "equal" if change.psnr is None else f"{change.psnr:.1f}",
        f"{result.seconds:.2f}",
    ]
    if measured:
        cells.append("" if result.pull is None else f"{result.pull:.2f}")
    return [Text(cell) for cell in cells]
