"""``fixative train averaging`` and ``remover``: learn an attack from pictures of one tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fixative.cli.console import clear_errors, results, say
from fixative.cli.progress import training_progress
from fixative.errors import SettingError
from fixative.pictures import refuse_existing
from fixative.pictures.naming import shown

Clean = Annotated[Path, typer.Option("--clean", help="Folder of pictures as they were.")]
Protected = Annotated[
    Path, typer.Option("--protected", help="Folder of their protected copies, of the same names.")
]
Out = Annotated[Path, typer.Option("--out", help="The file to write (.safetensors).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file.")]
Most = Annotated[int, typer.Option("--pairs", min=2, help="How many pairs to read at the most.")]


def averaging(
    clean: Clean,
    protected: Protected,
    out: Out,
    pairs: Most = 200,
    likeness: Annotated[
        float, typer.Option("--likeness", help="Correlation of one perturbation's differences.")
    ] = 0.7,
    overwrite: Overwrite = False,
) -> None:
    """Learn the perturbations that a tool adds to everybody's pictures, for the attack average."""
    with clear_errors():
        from fixative.training.averaging import learn_shared  # noqa: PLC0415 - loads torch
        from fixative.training.pairs import read_pairs  # noqa: PLC0415

        refuse_existing(out, overwrite=overwrite)
        found = read_pairs(clean, protected, most=pairs)
        with training_progress() as (_, on_pair):
            shared = learn_shared(found, likeness=likeness, on_pair=on_pair)
        if not len(shared):
            raise SettingError(
                f"pairs: no two of the {len(found)} changes are alike, so this tool shares "
                "nothing, or the folders do not belong together; nothing was written"
            )
        shared.save(out, overwrite=overwrite)
        members = " + ".join(str(count) for count in shared.pairs.tolist())
        told = f"{len(shared)} shared perturbations in {len(found)} pairs ({members})"
        say(results(), f"wrote {shown(out)}: {told}")


def remover(
    clean: Clean,
    protected: Protected,
    out: Out,
    runs: Annotated[
        Path, typer.Option("--runs", help="Folder of checkpoints; a run goes on there.")
    ] = Path("runs/remover"),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Length of the training.")] = 1500,
    pairs: Most = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Train a network that sees what a tool adds to pictures, for the attack remover."""
    with clear_errors():
        from fixative.training.pairs import read_pairs  # noqa: PLC0415 - loads torch
        from fixative.training.remover import RemoverRecipe, train_remover  # noqa: PLC0415

        refuse_existing(out, overwrite=overwrite)
        found = read_pairs(clean, protected, most=pairs)
        with training_progress() as (on_step, _):
            train_remover(
                found,
                out,
                checkpoint=runs / "remover.pt",
                steps=steps,
                recipe=RemoverRecipe(seed=seed),
                on_step=on_step,
            )
        say(results(), f"wrote {shown(out)}")
