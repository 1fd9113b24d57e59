"""The ``fixative`` command: one file a command, each registered by one line here."""

from __future__ import annotations

from typing import Annotated

import typer

import fixative
from fixative.cli.compare import compare
from fixative.cli.evaluate import evaluate
from fixative.cli.inspect import inspect
from fixative.cli.mimic import mimic
from fixative.cli.protect import protect
from fixative.cli.serve import serve
from fixative.cli.train import train

app = typer.Typer(
    help="Protect pictures against being learnt by image generators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(protect)
app.command()(compare)
app.command()(evaluate)
app.command()(inspect)
app.command()(mimic)
app.command()(serve)
app.add_typer(train, name="train")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fixative {fixative.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Protect pictures against being learnt by image generators."""
    del version  # its callback has answered
