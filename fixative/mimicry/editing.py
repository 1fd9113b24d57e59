"""Edits by img2img (SDEdit, Meng et al. 2022) on clean and on protected pictures, seed by seed."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from fixative.images import LEVELS, on_8bit_grid
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.imitation import save_strip
from fixative.mimicry.prepared import Prepared, Tell
from fixative.mimicry.sampling import SampleSettings, sample
from fixative.mimicry.settings import EditSettings, MimicrySettings, derived_seed
from fixative.mimicry.tools import MimicryTools
from fixative.pictures.atomic import atomic_file

_IMAGES = "images"


def edit_pictures(
    arm: Arm,
    name: str,
    given: Prepared,
    settings: MimicrySettings,
    tools: MimicryTools,
    tell: Tell,
) -> Tensor:
    """Edit an arm's pictures with the model as it is, without any LoRA.

    Every arm gets the same noise for the same picture, save the control, which gets other noise:
    it tells how far two edits of one picture differ by chance.

    Returns:
        (N, 3, R, R) in [0, 1] on the 8-bit grid.
    """
    edit = settings.edit or EditSettings()
    latents = given.latents[: edit.pictures]
    other = ("control",) if arm.role is Role.CONTROL else ()
    seed = derived_seed(settings.seed, "edit", name, *other)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    denoiser = tools.denoiser
    prompt = edit.prompt or tools.edit_prompt
    done: list[Tensor] = []
    for number, start in enumerate(latents.split(1)):
        found = sample(
            denoiser,
            noise[number : number + 1].to(denoiser.device),
            denoiser.condition([prompt]),
            denoiser.condition([""]),
            SampleSettings(edit.steps, edit.guidance),
            start=start.to(denoiser.device),
            level=edit.level,
            on_step=lambda step, steps, _: tell("editing", step, steps),
        )
        done.append(tools.codec.decode(found).cpu())
    return on_8bit_grid(torch.cat(done))


def saved_edits(edits: Tensor, path: Path, picture: Path, tools: MimicryTools) -> None:
    """Write edits and their features, and a PNG of them; each whole or not at all."""
    tensors = {_IMAGES: (edits * LEVELS).round().byte()} | tools.eyes.vectors(edits)
    with atomic_file(path, overwrite=True) as partial:
        partial.write_bytes(save({key: each.contiguous() for key, each in tensors.items()}))
    save_strip(edits, picture)


def load_edits(path: Path) -> tuple[Tensor, dict[str, Tensor]]:
    """Edits (N, 3, R, R) in [0, 1], and features by space, of a file ``saved_edits`` wrote."""
    tensors = load_file(path)
    return tensors.pop(_IMAGES).float() / LEVELS, tensors
