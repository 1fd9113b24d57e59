"""What the train commands share where several processes train together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fixative.cli.console import clear_errors, results, say
from fixative.cli.progress import OnStep, training_progress

if TYPE_CHECKING:  # loads torch
    from fixative.training.distributed import Team

Device = Annotated[
    str, typer.Option("--device", help="cpu or cuda; each process takes a GPU of its own.")
]
PrecisionName = Annotated[
    str, typer.Option("--precision", help="no (float32) or bf16: mixed, for GPUs.")
]
Average = Annotated[
    float,
    typer.Option("--average", help="Share of the weights' moving average a step keeps; 0: none."),
]
BatchTimes = Annotated[
    int, typer.Option("--batch-times", min=1, help="So many times the usual crops a step.")
]
Chunk = Annotated[
    int,
    typer.Option("--chunk", min=1, help="Crops computed together; more are quicker on a GPU."),
]


@dataclass(frozen=True)
class Hooks:
    """This process's team, and whom to tell: nobody, on all processes but the main one."""

    team: Team
    on_step: OnStep | None
    on_encode: Callable[[int, int], None] | None


@contextmanager
def team_hooks(*, device: str = "cpu", precision: str = "no") -> Generator[Hooks, None, None]:
    """The processes of this training, with progress shown by the main one."""
    from fixative.training.distributed import joined_team  # noqa: PLC0415 - loads torch

    with joined_team(device=device, precision=precision) as team:
        if not team.main:
            yield Hooks(team, None, None)
            return
        with training_progress() as (on_step, on_encode):
            yield Hooks(team, on_step, on_encode)


def shards(
    images: Annotated[Path, typer.Option("--images", help="Pictures, one folder a kind.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the shards into.")],
    per_shard: Annotated[int, typer.Option("--per-shard", min=1, help="Pictures a shard.")] = 256,
    seed: Annotated[int, typer.Option("--seed", help="Of the pictures' order.")] = 0,
) -> None:
    """Pack training pictures into tar shards, which --images of the other commands then takes."""
    with clear_errors():
        from fixative.training.shards import pack_shards  # noqa: PLC0415 - loads torch

        count = pack_shards(images, out, per_shard=per_shard, seed=seed)
        say(results(), f"wrote {count} shards into {out}")
