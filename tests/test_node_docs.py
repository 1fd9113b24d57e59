"""The help page of every node: there, complete, and with its picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "js" / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SECTIONS = ["## Inputs", "## When it stops with an error", "## Limits"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_what_every_page_has(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.match(r"# .+ \(Fixative\)\n\n", text)
    positions = [text.index(section) for section in SECTIONS]
    assert positions == sorted(positions)
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text)
    assert len(pictures) == 1
    assert len(pictures[0][0]) > 10  # a text for those who do not see it
    assert pictures[0][1] == f"{page.stem}.jpg"
    assert (DOCS / pictures[0][1]).is_file()


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in DOCS.glob("*.jpg")} <= {page.stem for page in PAGES}
