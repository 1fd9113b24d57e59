"""What the tab says, as HTML: everything that comes from a file or a person is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def report(*parts: str) -> str:
    """Parts made by the functions below, as one block."""
    return f"<div class='fixative-report'>{''.join(parts)}</div>"


def heading(text: str) -> str:
    """What came of it, in a few words."""
    return f"<h4>{escape(text)}</h4>"


def paragraph(text: str) -> str:
    """A sentence or two."""
    return f"<p>{escape(text)}</p>"


def problem(text: str) -> str:
    """What went wrong and what to do."""
    return f"<p class='fixative-problem' role='alert'>{escape(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """A list; nothing where there are no texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, a line each."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in pairs
    )
    return f"<table class='fixative-facts'>{rows}</table>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        "<div class='fixative-scroll'><table class='fixative-table'>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def details(summary: str, text: str) -> str:
    """Something long, folded away."""
    return (
        f"<details><summary>{escape(summary)}</summary><pre tabindex='0'>{escape(text)}</pre>"
        "</details>"
    )


def link(address: str, text: str) -> str:
    """A link that opens beside the tab."""
    return f"<p><a href='{escape(address)}' target='_blank' rel='noopener'>{escape(text)}</a></p>"
