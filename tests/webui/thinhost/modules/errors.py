"""What goes wrong is said in the log."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import logging
import sys

logger = logging.getLogger("thinhost")


def report(message: str, *, exc_info: bool = False) -> None:
    """Say it, with where it came from."""
    logger.error("*** %s", message, exc_info=exc_info and sys.exc_info())


def display(e: BaseException, task: str, *, full_traceback: bool = False) -> None:
    """Say what failed and why."""
    logger.error("%s: %s: %s", task, type(e).__name__, e, exc_info=full_traceback and e)
