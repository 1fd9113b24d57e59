"""Verdict and tables of a mimicry test as Markdown, for READMEs and terminals."""

from __future__ import annotations

from fixative.evaluation.markdown import as_markdown
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.tables import all_tables, arm_table
from fixative.mimicry.verdict import verdicts


def markdown_tables(found: MimicryResults) -> str:
    """All tables, each with its heading."""
    return "\n\n".join(as_markdown(table) for table in all_tables(found))


def main_table(found: MimicryResults) -> str:
    """The arms over all sets, or of the only one."""
    return as_markdown(arm_table(found, found.scope))


def verdict_lines(found: MimicryResults) -> list[str]:
    """Every sentence of the verdict."""
    return [line for verdict in verdicts(found) for line in verdict.lines]
