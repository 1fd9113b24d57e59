"""The strength map's whole training: from a folder of pictures to a file with its recipe inside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from fixative.codecs.tiny import frozen, load_tiny_network
from fixative.perceptual.lpips_map import LpipsMap
from fixative.perceptual.map_network import MapNetwork
from fixative.provenance import provenance
from fixative.training.distill_map import CHANGES, CROP, CROPS, MapDistillation
from fixative.training.loop import LoopSettings, ProgressCallback, run_training
from fixative.training.scale import PLAIN, Scale
from fixative.training.shards import open_pictures


def train_strength_map(
    images: Path | str,
    out: Path,
    *,
    steps: int = 1800,
    seed: int = 0,
    checkpoint: Path,
    lpips_backbone: Path | None = None,
    attacked_encoder: Path | None = None,
    on_step: ProgressCallback | None = None,
    scale: Scale = PLAIN,
) -> None:
    """Train the network, or go on from the checkpoint, and write the weights.

    Args:
        images: pictures, one folder a kind, or shards (see ``open_pictures``); those held out for
            measuring are left out.
        out: the .safetensors file to write.
        steps: length of the training; 12 pairs of 192 pixels each (9 without an encoder).
        seed: of weights, crops and changes.
        checkpoint: file to save to and resume from.
        lpips_backbone: AlexNet's features (see `LpipsMap`).
        attacked_encoder: a TAESD-format encoder to take perturbations from; None trains on drawn
            patterns, JPEG and blur only, which the recipe in the file then says.
        on_step: told (step, steps, losses) after each step.
        scale: processes, which share the work while the main one writes, and what goes with them.
    """
    crops = open_pictures(images, seed=seed)
    encode = None if attacked_encoder is None else frozen(load_tiny_network(attacked_encoder))
    teacher = LpipsMap(lpips_backbone, device=scale.team.device)
    recipe = MapDistillation(teacher, crops, encode=encode, seed=seed, scale=scale)
    run_training(recipe, LoopSettings(steps, checkpoint), on_step, team=scale.team)
    if not scale.team.main:
        return
    facts: dict[str, Any] = {
        "steps": steps,
        "seed": seed,
        "crop": CROP,
        "pairs_a_step": (CROPS * scale.times + (encode is not None)) * CHANGES,
        "pictures": crops.counts,
        "attacked_encoder": None if attacked_encoder is None else attacked_encoder.name,
        **scale.facts(),
    }
    write_map_weights(recipe.result, out, facts)


def write_map_weights(network: MapNetwork, out: Path, facts: dict[str, Any]) -> None:
    """Write the weights as float16, whole or not at all, with the recipe as JSON metadata."""
    recipe = {"kind": "strength map", "teacher": "LPIPS-Alex v0.1", **facts, **provenance()}
    tensors = {key: t.cpu().half().contiguous() for key, t in network.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    save_file(tensors, partial, metadata={"fixative": json.dumps(recipe)})
    os.replace(partial, out)
