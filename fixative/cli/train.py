"""``fixative train …``: make the project's weights again, or a mixture for another codec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors, results, say
from fixative.cli.train_attacks import averaging, remover
from fixative.cli.train_team import (
    Average,
    BatchTimes,
    Chunk,
    Device,
    PrecisionName,
    shards,
    team_hooks,
)
from fixative.errors import FixativeError

train = typer.Typer(
    help="Train weights: shows progress, saves checkpoints, resumes where it stopped.",
    no_args_is_help=True,
)
Images = Annotated[Path, typer.Option("--images", help="Pictures, one folder a kind.")]
Source = Annotated[
    str,
    typer.Option("--images", help="Pictures, one folder a kind; or a folder or address of shards."),
]
Out = Annotated[Path, typer.Option("--out", help="The file (codec: the folder) to write.")]
Runs = Annotated[Path, typer.Option("--runs", help="Folder of checkpoints; a run goes on there.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything random.")]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Length of the training.")]


@train.command()
def mixture(
    images: Source,
    out: Out,
    runs: Runs = Path("runs/mixture"),
    codec: Annotated[
        list[str], typer.Option("--codec", help="Encoders that take turns; the first groups.")
    ] = ["embedded"],  # noqa: B006 - typer copies it
    steps: Steps = 700,
    pictures: Annotated[
        int, typer.Option("--pictures", min=8, help="How many square crops to learn from.")
    ] = 350,
    crop: Annotated[
        int, typer.Option("--crop", min=64, max=512, help="Side of a crop, a multiple of 64.")
    ] = 128,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Crops a step.")] = 6,
    start: Annotated[
        str,
        typer.Option("--start", help="Mixture file to go on from; auto: the shipped one; nothing."),
    ] = "nothing",
    device: Device = "cpu",
    precision: PrecisionName = "no",
    seed: Seed = 0,
) -> None:
    """Learn a mixture of perturbations for the latent space of one or more codecs."""
    with clear_errors(), team_hooks(device=device, precision=precision) as hooks:
        from fixative.codecs import load_codec  # noqa: PLC0415 - loads torch
        from fixative.training.mixture_job import MixturePlan, train_mixture  # noqa: PLC0415
        from fixative.training.mixture_recipe import MixtureRecipe  # noqa: PLC0415
        from fixative.training.shards import open_pictures  # noqa: PLC0415
        from fixative.training.starts import starting_mixture  # noqa: PLC0415

        if crop % 64:
            raise FixativeError(f"--crop: expected a multiple of 64, got {crop}")
        codecs = [load_codec(name, device=hooks.team.device) for name in codec]
        recipe = MixtureRecipe(crop=crop, batch=batch, seed=seed)
        begun = starting_mixture(start, codecs[0].family)
        trained = train_mixture(
            open_pictures(images, seed=seed),
            codecs,
            MixturePlan(recipe, steps, pictures, start=begun),
            checkpoint=runs / "mixture.pt",
            on_step=hooks.on_step,
            on_encode=hooks.on_encode,
            team=hooks.team,
        )
        if hooks.team.main:
            trained.mixture.save(out)
            say(results(), f"wrote {out}")


@train.command()
def codec(
    images: Source,
    teacher: Annotated[
        Path, typer.Option("--teacher", help="TAESD encoder file, its decoder beside it.")
    ],
    out: Out,
    runs: Runs = Path("runs/codec"),
    encoder_steps: Annotated[int, typer.Option("--encoder-steps", min=1)] = 1800,
    decoder_steps: Annotated[int, typer.Option("--decoder-steps", min=1)] = 800,
    average: Average = 0.0,
    batch_times: BatchTimes = 1,
    chunk: Chunk = 1,
    device: Device = "cpu",
    precision: PrecisionName = "no",
    seed: Seed = 0,
) -> None:
    """Distil the embedded codec from a teacher of the same format."""
    with clear_errors(), team_hooks(device=device, precision=precision) as hooks:
        from fixative.training.jobs import train_codec  # noqa: PLC0415 - loads torch
        from fixative.training.scale import Scale  # noqa: PLC0415

        train_codec(
            images,
            teacher,
            out,
            runs=runs,
            encoder_steps=encoder_steps,
            decoder_steps=decoder_steps,
            seed=seed,
            on_step=hooks.on_step,
            scale=Scale(hooks.team, average, batch_times, chunk),
        )
        if hooks.team.main:
            say(results(), f"wrote {out}")


@train.command("strength-map")
def strength_map(
    images: Source,
    out: Out,
    runs: Runs = Path("runs/strength-map"),
    steps: Steps = 1800,
    lpips_backbone: Annotated[
        Path | None, typer.Option("--lpips-backbone", help="AlexNet's features (safetensors).")
    ] = None,
    attacked: Annotated[
        Path | None, typer.Option("--attacked", help="TAESD encoder to take perturbations from.")
    ] = None,
    average: Average = 0.0,
    batch_times: BatchTimes = 1,
    chunk: Chunk = 1,
    device: Device = "cpu",
    precision: PrecisionName = "no",
    seed: Seed = 0,
) -> None:
    """Distil the strength-map network from LPIPS-Alex."""
    with clear_errors(), team_hooks(device=device, precision=precision) as hooks:
        from fixative.training.map_job import train_strength_map  # noqa: PLC0415 - loads torch
        from fixative.training.scale import Scale  # noqa: PLC0415

        train_strength_map(
            images,
            out,
            steps=steps,
            seed=seed,
            checkpoint=runs / "strength_map.pt",
            lpips_backbone=lpips_backbone,
            attacked_encoder=attacked,
            on_step=hooks.on_step,
            scale=Scale(hooks.team, average, batch_times, chunk),
        )
        if hooks.team.main:
            say(results(), f"wrote {out}")


@train.command("testbed")
def mimicry_testbed(
    images: Images,
    out: Out,
    runs: Runs = Path("runs/testbed"),
    steps: Steps = 6000,
    crops: Annotated[
        int, typer.Option("--crops", min=64, help="Crops to encode, a multiple of 64.")
    ] = 3072,
    start: Annotated[
        Path | None, typer.Option("--start", help="A testbed's file to go on from.")
    ] = None,
    autocast: Annotated[
        bool, typer.Option("--autocast", help="bfloat16: for CPUs that have it.")
    ] = False,
    device: Device = "cpu",
    seed: Seed = 0,
) -> None:
    """Train the mimicry test's small diffusion model, in the embedded codec's latent space."""
    with clear_errors(), team_hooks(device=device) as hooks:
        from fixative.codecs import load_codec  # noqa: PLC0415 - loads torch
        from fixative.training.testbed import TestbedRecipe, train_testbed  # noqa: PLC0415

        if crops % 64:
            raise FixativeError(f"--crops: expected a multiple of 64, got {crops}")
        train_testbed(
            images,
            load_codec(device=hooks.team.device),
            out,
            runs=runs,
            steps=steps,
            crops=crops,
            recipe=TestbedRecipe(autocast=autocast, seed=seed),
            start=start,
            on_step=hooks.on_step,
            on_encode=hooks.on_encode,
            team=hooks.team,
        )
        if hooks.team.main:
            say(results(), f"wrote {out}")


train.command()(averaging)
train.command()(remover)
train.command()(shards)
