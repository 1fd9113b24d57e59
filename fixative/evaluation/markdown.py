"""The tables of an evaluation as Markdown, for READMEs and terminals."""

from __future__ import annotations

from fixative.evaluation.results import Results
from fixative.evaluation.tables import Table, all_tables
from fixative.evaluation.tables import worst_table as _worst


def markdown_tables(found: Results) -> str:
    """All tables, each with its heading, and what was measured with what."""
    parts = [as_markdown(table) for table in all_tables(found)]
    return "\n\n".join([*parts, origin(found)])


def worst_table(found: Results) -> str:
    """The first table alone."""
    return as_markdown(_worst(found))


def as_markdown(table: Table) -> str:
    """One table with its title and note."""
    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(_escaped(column.label) for column in table.columns) + " |")
    lines.append("|" + " --- |" * len(table.columns))
    for row in table.rows:
        lines.append("| " + " | ".join(_escaped(entry.text) for entry in row) + " |")
    return "\n".join([*lines, "", table.note] if table.note else lines)


def origin(found: Results) -> str:
    """A paragraph that says what the numbers came from."""
    tools = found.tools
    missing = [f"{m.label} not measured: {m.missing}" for m in found.measures if m.missing]
    parts = [
        f"Protocol {found.protocol['name']} ({found.protocol_sha256[:12]})",
        f"{len(found.pictures)} pictures of {found.given}",
        f"codecs {', '.join(found.codecs)}",
        f"mixture {tools['mixture']['name']}",
        *([f"denoiser {tools['denoiser']['name']}"] if tools.get("denoiser") else []),
        *missing,
        ", ".join(f"{name} {version}" for name, version in found.provenance.items()),
    ]
    return "; ".join(parts) + "."


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
