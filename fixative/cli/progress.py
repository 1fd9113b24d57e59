"""Progress bars: drawn where there is a terminal; elsewhere long runs print lines."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fixative.cli.console import messages, say
from fixative.pictures.naming import shown

OnStep = Callable[[int, int, dict[str, float]], None]
#: How often losses are printed where no progress bar can be drawn.
LINE_EVERY = 50
#: Of what is being done, so many characters fit beside the bar.
_WIDTH = 64
_FAILED = "failed"


class Outcome(Protocol):
    """What became of a task."""

    @property
    def status(self) -> str: ...

    @property
    def note(self) -> str: ...


class TaskStep(Protocol):
    """Where a journalled run is."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def doing(self) -> str: ...

    @property
    def row(self) -> Outcome | None: ...


def files_progress(console: Console, what: str) -> Progress:
    """A bar over files on a terminal, nothing elsewhere; ``what`` is being done with them."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def training_progress() -> Generator[tuple[OnStep, Callable[[int, int], None]], None, None]:
    """A bar for steps and one for encoding; lines instead where there is no terminal."""
    console = messages()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {
            name: bar.add_task(name, total=None, losses="", visible=False)
            for name in ("encoding", "training")
        }

        def on_encode(done: int, total: int) -> None:
            bar.update(tasks["encoding"], completed=done, total=total, visible=True)

        def on_step(step: int, steps: int, losses: dict[str, float]) -> None:
            told = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
            bar.update(tasks["training"], completed=step, total=steps, visible=True, losses=told)
            if not console.is_terminal and (step % LINE_EVERY == 0 or step == steps):
                say(console, f"step {step}/{steps}  {told}")

        yield on_step, on_encode


@contextmanager
def tasks_progress(
    what: str, *, line_every: int = LINE_EVERY
) -> Generator[Callable[[TaskStep], None]]:
    """A bar over the tasks of a journalled run; elsewhere a line now and then.

    Args:
        what: is being done, before the bar.
        line_every: without a terminal, a line is printed after so many tasks.
    """
    console = messages()
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def on_progress(step: TaskStep) -> None:
            doing = shown(step.doing)[:_WIDTH]
            bar.update(task, completed=step.done, total=step.total, description=doing)
            if step.row is not None and step.row.status == _FAILED:
                say(console, f"failed: {step.doing}: {step.row.note}")
            elif step.row is not None and not console.is_terminal and not step.done % line_every:
                say(console, f"{step.done}/{step.total} {step.doing}")

        yield on_progress
