"""The codec's whole training: from a folder of pictures to files with their recipe inside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from fixative.codecs.load import DECODER_FILE, ENCODER_FILE
from fixative.codecs.tiny import load_tiny_network, tiny_encoder
from fixative.provenance import provenance
from fixative.training.distill_codec import DecoderDistillation, EncoderDistillation
from fixative.training.loop import LoopSettings, ProgressCallback, run_training
from fixative.training.scale import PLAIN, Scale
from fixative.training.shards import open_pictures


def train_codec(
    images: Path | str,
    teacher: Path,
    out: Path,
    *,
    runs: Path,
    encoder_steps: int = 1800,
    decoder_steps: int = 800,
    seed: int = 0,
    on_step: ProgressCallback | None = None,
    scale: Scale = PLAIN,
) -> None:
    """Distil encoder, then decoder, and write both as bfloat16 into the folder ``out``.

    Args:
        images: pictures, one folder a kind, or shards (see ``open_pictures``).
        teacher: a TAESD-format encoder file with its decoder beside it.
        out: folder of the two files.
        runs: folder of checkpoints; a started training goes on from there.
        encoder_steps: length of the encoder's training.
        decoder_steps: length of the decoder's.
        seed: of weights and crops.
        on_step: called with (step, steps, losses).
        scale: processes, which share the work while the main one writes, and what goes with them.
    """
    crops = open_pictures(images, seed=seed)
    teacher_encoder = load_tiny_network(teacher)
    decoder_file = teacher.with_name(teacher.name.replace("encoder", "decoder"))
    teacher_decoder = load_tiny_network(decoder_file, decoder=True)
    channels = teacher_encoder[-1].out_channels
    recipe = {
        "kind": "codec",
        "teacher": teacher.name,
        "seed": seed,
        "pictures": crops.counts,
        **scale.facts(),
        **provenance(),
    }
    assert isinstance(channels, int)
    first = EncoderDistillation(
        teacher_encoder, crops, latent_channels=channels, seed=seed, scale=scale
    )
    settings = LoopSettings(encoder_steps, runs / "encoder.pt")
    run_training(first, settings, on_step, team=scale.team)
    if scale.team.main:
        _save_network(first.result, out / ENCODER_FILE, {**recipe, "steps": encoder_steps})
    encoder = tiny_encoder(channels)
    encoder.load_state_dict(first.result.state_dict())
    second = DecoderDistillation(
        teacher_encoder,
        teacher_decoder,
        encoder,
        crops,
        latent_channels=channels,
        seed=seed,
        scale=scale,
    )
    settings = LoopSettings(decoder_steps, runs / "decoder.pt")
    run_training(second, settings, on_step, team=scale.team)
    if scale.team.main:
        _save_network(second.result, out / DECODER_FILE, {**recipe, "steps": decoder_steps})


def _save_network(network: nn.Sequential, path: Path, recipe: dict[str, Any]) -> None:
    """bfloat16, contiguous, with the recipe as metadata; whole or not at all."""
    tensors = {
        key: value.cpu().to(torch.bfloat16).contiguous(memory_format=torch.contiguous_format)
        for key, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"fixative": json.dumps(recipe)})
    os.replace(partial, path)
