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
from fixative.cli.tally import Tally
from fixative.pictures.naming import shown


def print_summary(
    console: Console, plan: Plan, results: Sequence[FileResult], *, interrupted: bool
) -> None:
    """Print what was done, what to know, and what failed."""
    tally = Tally().add_all((line for _, line in plan.failures), results)
    not_done = len(plan.tasks) - len(results) if interrupted else None
    print_tally(console, tally, plan.skipped, not_done=not_done)


def print_tally(
    console: Console,
    tally: Tally,
    skipped: Counter[str],
    *,
    not_done: int | None = None,
    table: bool = True,
) -> None:
    """Print what was done, what to know, and what failed.

    Args:
        console: for results.
        tally: what became of the pictures.
        skipped: files that are no pictures, by kind.
        not_done: how many were left when the run was interrupted; None if it was not.
        table: tell the first results one by one.
    """
    if table and tally.rows:
        console.print(_table(tally.rows))
    if table:
        _more(console, tally.protected - len(tally.rows))
    for text, note in tally.notes.items():
        more = note.count - len(note.names)
        which = ", ".join(note.names) + (f" and {more} more" if more else "")
        say(console, f"note: {which}: {text}")
    for line in tally.failures:
        say(console, f"failed: {line}")
    _more(console, tally.failed - len(tally.failures))
    say(console, _last_line(tally, skipped, not_done))


def _more(console: Console, count: int) -> None:
    if count:
        say(console, f"and {count} more")


def _last_line(tally: Tally, skipped: Counter[str], not_done: int | None) -> str:
    parts = [f"{tally.protected} protected", f"{tally.failed} failed"]
    if tally.unchanged:
        parts.append(f"{tally.unchanged} protected before")
    if skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(skipped.items()))
        parts.append(f"{skipped.total()} skipped ({kinds})")
    if not_done is not None:
        parts.append(f"interrupted, {not_done} not done")
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
