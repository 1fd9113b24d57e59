"""Whole trainings: from a folder of pictures to a weights file with its recipe inside."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from fixative.codecs.base import Codec
from fixative.codecs.load import DECODER_FILE, ENCODER_FILE
from fixative.codecs.tiny import load_tiny_network, tiny_encoder
from fixative.errors import MixtureError
from fixative.provenance import provenance
from fixative.training.crops import CropSampler
from fixative.training.distill_codec import DecoderDistillation, EncoderDistillation
from fixative.training.loop import LoopSettings, ProgressCallback, run_training
from fixative.training.mixture_set import prepare_set
from fixative.training.targets import PERIODS, draw_targets
from fixative.training.train_mixture import MixtureRecipe, MixtureTraining


def train_codec(
    images: Path,
    teacher: Path,
    out: Path,
    *,
    runs: Path,
    encoder_steps: int = 1800,
    decoder_steps: int = 800,
    seed: int = 0,
    on_step: ProgressCallback | None = None,
) -> None:
    """Distil encoder, then decoder, and write both as bfloat16 into the folder ``out``.

    Args:
        images: pictures, one folder a kind.
        teacher: a TAESD-format encoder file with its decoder beside it.
        out: folder of the two files.
        runs: folder of checkpoints; a started training goes on from there.
        encoder_steps: length of the encoder's training.
        decoder_steps: length of the decoder's.
        seed: of weights and crops.
        on_step: called with (step, steps, losses).
    """
    crops = CropSampler(images)
    teacher_encoder = load_tiny_network(teacher)
    decoder_file = teacher.with_name(teacher.name.replace("encoder", "decoder"))
    teacher_decoder = load_tiny_network(decoder_file, decoder=True)
    channels = teacher_encoder[-1].out_channels
    recipe = {
        "kind": "codec",
        "teacher": teacher.name,
        "seed": seed,
        "pictures": crops.counts,
        **provenance(),
    }
    assert isinstance(channels, int)
    first = EncoderDistillation(teacher_encoder, crops, latent_channels=channels, seed=seed)
    run_training(first, LoopSettings(encoder_steps, runs / "encoder.pt"), on_step)
    _save_network(first.student, out / ENCODER_FILE, {**recipe, "steps": encoder_steps})
    encoder = tiny_encoder(channels)
    encoder.load_state_dict(first.student.state_dict())
    second = DecoderDistillation(
        teacher_encoder, teacher_decoder, encoder, crops, latent_channels=channels, seed=seed
    )
    run_training(second, LoopSettings(decoder_steps, runs / "decoder.pt"), on_step)
    _save_network(second.student, out / DECODER_FILE, {**recipe, "steps": decoder_steps})


def train_mixture(
    images: Path,
    codecs: Sequence[Codec],
    out: Path,
    *,
    runs: Path,
    recipe: MixtureRecipe | None = None,
    steps: int = 700,
    pictures: int = 350,
    groups: int = 4,
    on_step: ProgressCallback | None = None,
    on_encode: Any = None,
) -> None:
    """Train a mixture and write it to ``out``.

    Args:
        images: pictures, one folder a kind; those held out for measuring are left out.
        codecs: encoders that take turns; the first groups and routes the pictures.
        out: the mixture file.
        runs: folder of checkpoint and cached latents.
        recipe: settings.
        steps: length of the training.
        pictures: how many square crops to learn from.
        groups: K.
        on_step: called with (step, steps, losses).
        on_encode: called with (done, all) while pictures are encoded.

    Raises:
        MixtureError: the codecs are of different families.
    """
    recipe = recipe or MixtureRecipe()
    families = {codec.family for codec in codecs}
    if len(families) != 1:
        raise MixtureError(
            f"codecs: expected one latent family, got {', '.join(sorted(families))}; train a "
            "mixture for each"
        )
    crops, targets = CropSampler(images), draw_targets()
    data = prepare_set(
        crops,
        codecs[0],
        targets,
        count=pictures,
        groups=groups,
        seed=recipe.seed,
        cache=runs / "latents.pt",
        on_encode=on_encode,
    )
    training = MixtureTraining(codecs, data, targets, list(PERIODS.values()), recipe)
    run_training(training, LoopSettings(steps, runs / "mixture.pt"), on_step)
    described = {
        **dataclasses.asdict(recipe),
        "kind": "mixture",
        "steps": steps,
        "codecs": [codec.name for codec in codecs],
        "pictures": crops.counts,
        "square_crops": pictures,
        "routed": dict(zip(PERIODS, data.target.bincount(minlength=3).tolist(), strict=True)),
        "grouped_as": data.group.bincount(minlength=groups).tolist(),
        **provenance(),
    }
    training.mixture(families.pop(), tuple(PERIODS), described).save(out)


def _save_network(network: nn.Sequential, path: Path, recipe: dict[str, Any]) -> None:
    """bfloat16, contiguous, with the recipe as metadata; whole or not at all."""
    tensors = {
        key: value.to(torch.bfloat16).contiguous(memory_format=torch.contiguous_format)
        for key, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"fixative": json.dumps(recipe)})
    os.replace(partial, path)
