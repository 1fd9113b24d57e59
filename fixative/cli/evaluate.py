"""``fixative evaluate``: compare protections and countermeasures by a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors


def evaluate(
    protocol: Annotated[
        str, typer.Argument(metavar="PROTOCOL", help="quick, paper, or a YAML file.")
    ],
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures to measure on.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the results; an interrupted run goes on.")
    ],
    codec: Annotated[
        list[str] | None,
        typer.Option(
            "--codec",
            metavar="embedded|FILE",
            help="Instead of the protocol's; the first is protected with, the others only measure.",
        ),
    ] = None,
    mixture: Annotated[
        Path | None, typer.Option("--mixture", help="A mixture file; otherwise the codec's own.")
    ] = None,
    pictures: Annotated[
        int | None, typer.Option("--pictures", min=1, help="How many to measure on.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Processor threads; otherwise all.")
    ] = None,
    denoiser: Annotated[
        str | None,
        typer.Option(
            "--denoiser",
            metavar="testbed|FILE|FOLDER",
            help="Instead of the protocol's, for the methods that need one.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="Where to compute: cpu, cuda. Otherwise cpu, and a full-size denoiser on cuda.",
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all tables, as Markdown.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over where --out has an evaluation.")
    ] = False,
) -> None:
    """Measure protections × strengths × countermeasures × pictures × codecs."""
    with clear_errors():
        from fixative.cli.evaluate_run import Request, run  # noqa: PLC0415 - loads for seconds

        request = Request(
            protocol=protocol,
            images=images,
            out=out,
            codecs=tuple(codec or ()),
            mixture=mixture,
            denoiser=denoiser,
            pictures=pictures,
            threads=threads,
            device=device,
            markdown=markdown,
            fresh=fresh,
        )
        code = run(request)
    raise typer.Exit(code)
