"""``fixative serve``: protect pictures over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for any.")] = 8300,
    codec: Annotated[
        str, typer.Option("--codec", metavar="embedded|FILE", help="The autoencoder to protect by.")
    ] = "embedded",
    mixture: Annotated[
        Path | None,
        typer.Option("--mixture", help="A mixture file; otherwise the codec's own is found."),
    ] = None,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Refuse larger pictures (413).")
    ] = 32.0,
    max_megabytes: Annotated[
        float, typer.Option("--max-megabytes", help="Refuse larger requests (413).")
    ] = 64.0,
    places: Annotated[
        int, typer.Option("--places", help="Pictures in memory at one time; others get 503.")
    ] = 16,
    total_megapixels: Annotated[
        float, typer.Option("--total-megapixels", help="Together; who comes above gets 503.")
    ] = 128.0,
    uploads: Annotated[
        int, typer.Option("--uploads", help="Requests received at one time; others get 503.")
    ] = 64,
    batch: Annotated[
        int, typer.Option("--batch", help="Pictures of one size protected together, at most.")
    ] = 4,
    upload_seconds: Annotated[
        float, typer.Option("--upload-seconds", help="A request must come within so long (408).")
    ] = 30.0,
    wait_seconds: Annotated[
        float, typer.Option("--wait-seconds", help="A picture waits at most so long (503).")
    ] = 60.0,
    stop_seconds: Annotated[
        float, typer.Option("--stop-seconds", help="On SIGTERM, finish for at most so long.")
    ] = 120.0,
    without_token: Annotated[
        bool, typer.Option("--without-token", help="Let everybody in who reaches the address.")
    ] = False,
) -> None:
    """Serve POST /v1/protect; FIXATIVE_TOKEN holds the token that requests must bear."""
    with clear_errors():
        from fixative.cli.serve_run import Request, run  # noqa: PLC0415 - PyTorch loads for seconds

        limits: dict[str, float] = {
            "max_megapixels": max_megapixels,
            "max_megabytes": max_megabytes,
            "places": places,
            "total_megapixels": total_megapixels,
            "uploads": uploads,
            "batch": batch,
            "upload_seconds": upload_seconds,
            "wait_seconds": wait_seconds,
            "stop_seconds": stop_seconds,
        }
        run(Request(host, port, codec, mixture, limits, without_token))
