"""What the commands share: consoles, and errors as one line with an exit code.

Exit codes: 0 all done, 2 bad input or setting, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum

import typer
from rich.console import Console

from fixative.errors import FixativeError
from fixative.pictures.naming import shown

BAD_INPUT = 2
INTERRUPTED = 130
_PLAIN_WIDTH = 160


class MapName(str, Enum):
    """Strength maps by name."""

    learned = "learned"
    lpips = "lpips"
    off = "off"


def messages() -> Console:
    """The console for progress and errors."""
    return _console(stderr=True)


def results() -> Console:
    """The console for tables and summaries."""
    return _console(stderr=False)


def say(console: Console, line: str) -> None:
    """Print one line as it is: no markup, no wrapping, nothing that a console cannot show."""
    console.print(shown(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def clear_errors() -> Generator[None, None, None]:
    """Turn a person's mistake into one line on stderr and exit code 2."""
    try:
        yield
    except FixativeError as error:
        _stop(f"error: {' '.join(str(error).split())}", BAD_INPUT)
    except OSError as error:
        name = f"{shown(str(error.filename))}: " if error.filename else ""
        _stop(f"error: {name}{error.strerror or error}", BAD_INPUT)
    except KeyboardInterrupt:
        _stop("interrupted", INTERRUPTED)


def _stop(line: str, code: int) -> None:
    say(messages(), line)
    raise typer.Exit(code) from None


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_PLAIN_WIDTH)
