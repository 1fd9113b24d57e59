"""``fixative protect``: protect pictures and folders."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import MapName, clear_errors


class TargetName(str, Enum):
    """Targets by their pattern repetition."""

    auto = "auto"
    low = "low"
    mid = "mid"
    high = "high"


class FormatName(str, Enum):
    """Output formats."""

    png = "png"
    webp = "webp"
    jpeg = "jpeg"
    webp_lossy = "webp-lossy"


class EngineName(str, Enum):
    """What runs the workers."""

    local = "local"
    ray = "ray"


def protect(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="PICTURE...|FOLDER|URL", help="What to protect."),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FOLDER|URL",
            help="Folder for the results, which keep their relative paths.",
        ),
    ],
    strength: Annotated[
        float, typer.Option("--strength", help="Largest change of a colour, 0 to 32 of 255.")
    ] = 8.0,
    target: Annotated[
        TargetName, typer.Option("--target", help="What the picture is pulled to.")
    ] = TargetName.auto,
    strength_map: Annotated[
        MapName, typer.Option("--strength-map", help="What finds where a change is not seen.")
    ] = MapName.learned,
    codec: Annotated[
        str, typer.Option("--codec", metavar="embedded|FILE", help="The autoencoder to protect by.")
    ] = "embedded",
    mixture: Annotated[
        Path | None,
        typer.Option("--mixture", help="A mixture file; otherwise the codec's own is found."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="A picture of the same size: white = protect, black = leave."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--json", help="Write a report, with the pull measured (takes longer)."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that exist.")
    ] = False,
    output_format: Annotated[
        FormatName,
        typer.Option("--format", help="png and webp keep all; jpeg and webp-lossy weaken it."),
    ] = FormatName.png,
    max_megapixels: Annotated[
        float,
        typer.Option(
            "--max-megapixels", help="Refuse larger ones (up to 178; each megapixel needs 0.11 GB)."
        ),
    ] = 64.0,
    device: Annotated[
        str, typer.Option("--device", help="Where to compute: cpu, cuda, mps…")
    ] = "cpu",
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Of folders, only these: '*.jpg', 'a/**'."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Of folders, not these (may be repeated)."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", help="Processes for folders; if not given, one a core, or one on a GPU."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", help="Pictures of folders encoded together (1; on a GPU more may be faster)."
        ),
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option(
            "--results",
            metavar="FILE",
            help="Write what became of each file of folders (JSON lines; with ray also .parquet).",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option("--engine", help="ray: many machines, and URLs such as s3://bucket/folder."),
    ] = EngineName.local,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of a Ray cluster: auto, or host:port; else this machine."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="With ray: read again all that is done, and compare hashes."),
    ] = False,
) -> None:
    """Protect pictures; results appear in --out whole or not at all.

    Folders go on where an earlier run ended, and what is protected and unchanged is left alone.
    """
    with clear_errors():
        from fixative.batch import EngineChoice  # noqa: PLC0415 - PyTorch loads for seconds
        from fixative.batch.filters import Filters  # noqa: PLC0415
        from fixative.cli.protect_fleet import (  # noqa: PLC0415
            FleetOptions,
            refuse_fleet_options,
            run_on_ray,
        )
        from fixative.cli.protect_run import run  # noqa: PLC0415
        from fixative.cli.request import Request  # noqa: PLC0415
        from fixative.protector import ProtectSettings  # noqa: PLC0415

        settings = ProtectSettings(strength, target.value, strength_map.value)
        request = Request(
            inputs=tuple(Path(text) for text in inputs),
            out=Path(out),
            engine=EngineChoice(codec, mixture, settings, device),
            output=output_format.value,
            mask=mask,
            report=report,
            overwrite=overwrite,
            max_megapixels=max_megapixels,
            filters=Filters(tuple(include or ()), tuple(exclude or ())),
            workers=workers,
            lines=None if lines is None else Path(lines),
            batch=batch,
        )
        fleet = FleetOptions(tuple(inputs), out, lines, address, check)
        if engine is EngineName.ray:
            code = run_on_ray(request, fleet)
        else:
            refuse_fleet_options(fleet)
            code = run(request)
    raise typer.Exit(code)
