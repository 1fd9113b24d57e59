"""What a sub-tab shows when its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fixative_webui import tab_html as html


@dataclass(frozen=True)
class Answer:
    """What came of the work.

    Attributes:
        report: HTML.
        view: HTML to look at.
        files: downloads.
    """

    report: str
    view: str = ""
    files: Sequence[Path] = ()


def failed(message: str) -> Answer:
    """Nothing was done, and why."""
    return Answer(html.report(html.problem(message)))


def stopped() -> Answer:
    """The user interrupted before anything was done."""
    return Answer(html.report(html.problem("Interrupted: nothing was saved.")))
