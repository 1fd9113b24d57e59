"""Progress bars: drawn where there is a terminal; elsewhere trainings print lines."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fixative.cli.console import messages, say

OnStep = Callable[[int, int, dict[str, float]], None]
#: How often losses are printed where no progress bar can be drawn.
LINE_EVERY = 50


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
