"""``fixative inspect``: is this picture protected already?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors


def inspect(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...|FOLDER", help="What to look at.")
    ],
    mixture: Annotated[
        Path | None,
        typer.Option("--mixture", help="The mixture to look for, instead of the shipped one."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--json", help="Write what was found, with every number.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that exists.")
    ] = False,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Refuse larger ones (up to 178).")
    ] = 64.0,
) -> None:
    """Say how likely pictures are protected; they are only read."""
    with clear_errors():
        from fixative.cli.inspect_run import InspectRequest, run  # noqa: PLC0415 - loads torch

        request = InspectRequest(tuple(inputs), mixture, report, overwrite, max_megapixels)
        code = run(request)
    raise typer.Exit(code)
