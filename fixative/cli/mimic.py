"""``fixative mimic``: train an imitator's LoRA on clean and on protected pictures, and compare."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors


class Targets(str, Enum):
    """Layers that a LoRA adapts."""

    attention = "attention"
    all = "all"


def mimic(
    images: Annotated[
        list[Path],
        typer.Option(
            "--images",
            help="Folder of 3 pictures or more of one subject or style, or of such folders.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the results; an interrupted run goes on.")
    ],
    protect: Annotated[
        list[str] | None,
        typer.Option("--protect", help="A protection, as mixture or mist:100; may be repeated."),
    ] = None,
    countermeasure: Annotated[
        list[str] | None,
        typer.Option("--countermeasure", help="What the imitator tries; may be repeated."),
    ] = None,
    baseline: Annotated[
        str, typer.Option("--baseline", help="Iterative protection beside it, or none.")
    ] = "photoguard:10",
    strength: Annotated[
        float, typer.Option("--strength", min=0, max=32, help="Budget in 1/255.")
    ] = 8.0,
    model: Annotated[
        str, typer.Option("--model", metavar="testbed|FILE", help="What the imitator trains.")
    ] = "testbed",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Folder with a checkpoint's tokenizer and configuration."),
    ] = None,
    codec: Annotated[
        str, typer.Option("--codec", metavar="embedded|FILE", help="The model's VAE.")
    ] = "embedded",
    mixture: Annotated[
        Path | None, typer.Option("--mixture", help="A mixture file; otherwise the codec's own.")
    ] = None,
    caption: Annotated[
        list[str] | None,
        typer.Option(
            "--caption", help="What the pictures are called, or SET=TEXT; may be repeated."
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", help="What imitators draw, in turn; otherwise the caption."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, help="LoRAs of each kind: 3; if quick 2, or 1 of several sets."
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=2, help="Pictures drawn with each LoRA.")
    ] = None,
    rank: Annotated[int | None, typer.Option("--rank", min=1, help="Of the LoRAs.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Of a LoRA.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Pictures a step.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Learning rate.")] = None,
    targets: Annotated[
        Targets | None, typer.Option("--targets", help="Layers that are adapted.")
    ] = None,
    draw_steps: Annotated[
        int | None, typer.Option("--draw-steps", min=1, help="Of the sampler.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option("--guidance", min=1, help="Of the sampler; 1 is none.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all randomness.")] = 0,
    edit: Annotated[
        bool, typer.Option("--edit", help="Also edit the pictures by img2img and compare.")
    ] = False,
    edit_prompt: Annotated[
        str, typer.Option("--edit-prompt", help="What pictures are turned into.")
    ] = "",
    edit_level: Annotated[
        float, typer.Option("--edit-level", help="How far, above 0 to 1: 1 keeps nothing.")
    ] = 0.5,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer seeds and shorter LoRAs: minutes on two cores.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; otherwise one a core.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where to compute: cpu, cuda.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all tables, as Markdown.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over where --out has a mimicry test.")
    ] = False,
) -> None:
    """Does a protection stop an imitator? Train LoRAs on both, draw with both, compare."""
    with clear_errors():
        from fixative.cli.mimic_run import Request, run  # noqa: PLC0415 - loads for seconds

        request = Request(
            images=tuple(images),
            out=out,
            protections=tuple(protect or ()),
            countermeasures=tuple(countermeasure or ()),
            baseline=baseline,
            strength=strength,
            model=model,
            config=config,
            codec=codec,
            mixture=mixture,
            captions=tuple(caption or ()),
            prompts=tuple(prompt or ()),
            seeds=seeds,
            samples=samples,
            lora={
                "rank": rank,
                "steps": steps,
                "batch": batch,
                "rate": rate,
                "targets": None if targets is None else targets.value,
            },
            draw={"steps": draw_steps, "guidance": guidance},
            seed=seed,
            edit=edit,
            edit_prompt=edit_prompt,
            edit_level=edit_level,
            quick=quick,
            workers=workers,
            device=device,
            markdown=markdown,
            fresh=fresh,
        )
        code = run(request)
    raise typer.Exit(code)
