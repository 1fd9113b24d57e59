"""Small trainings of every kind, run alone by a test and on several processes by torchrun.

torchrun --nproc-per-node 2 -m tests.training_fleet FOLDER
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fixative.codecs import tiny
from fixative.codecs.tiny import tiny_encoder
from fixative.mimicry.network import UNET
from fixative.mixture import SIDE
from fixative.perceptual import LpipsMap
from fixative.training import distill_codec, distill_map
from fixative.training.crops import CropSampler
from fixative.training.distill_codec import EncoderDistillation
from fixative.training.distributed import Team, joined_team
from fixative.training.loop import LoopSettings, Recipe, run_training, save_checkpoint
from fixative.training.mixture_job import MixturePlan, train_mixture
from fixative.training.mixture_recipe import MixtureRecipe
from fixative.training.mixture_set import MixtureSet
from fixative.training.scale import Scale
from fixative.training.targets import PERIODS, draw_targets
from fixative.training.testbed import TestbedRecipe, TestbedTraining
from fixative.training.testbed_latents import LatentSet
from fixative.training.train_mixture import MixtureTraining
from tests.engine_parts import random_codec
from tests.map_pairs import save_random_backbone
from tests.toy_models import toy_codec

#: Steps of each training, and after which of them a checkpoint is put aside. SOAP finds its basis
#: in the first step, follows it from the second on and turns it in the eleventh.
STEPS = {"mixture": 6, "codec": 12, "strength-map": 12, "testbed": 6}
CUT = 4
#: Trainings that SOAP does: those whose results have to be equal to the bit.
SOAP = ("codec", "strength-map")
#: The one that two processes take up from one.
BEGUN = "strength-map"
PICTURES, BACKBONE = "pictures", "backbone.safetensors"


def write_pictures(folder: Path, count: int = 4) -> Path:
    rng = np.random.default_rng(0)
    for kind in ("drawings", "photos"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            coarse = torch.from_numpy(rng.random((1, 3, 12, 14), dtype=np.float32))
            fine = F.interpolate(coarse, (120, 140), mode="bilinear")[0].permute(1, 2, 0)
            pixels = (fine * 255).byte().numpy()
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    return folder


def prepare(folder: Path) -> Path:
    """Everything that the trainings read."""
    write_pictures(folder / PICTURES)
    save_random_backbone(folder / BACKBONE)
    return folder


def mixture(_folder: Path, team: Team) -> MixtureTraining:
    """Three crops a step: two processes get one and two."""
    generator = torch.Generator().manual_seed(0)
    data = MixtureSet(
        torch.randint(256, (5, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8),
        group=torch.tensor([0, 1, 0, 1, 1]),
        target=torch.tensor([0, 1, 2, 0, 1]),
        entropies=torch.zeros(5),
        centroids=torch.zeros(2, 4, 64, 64),
        target_latents=torch.zeros(3, 4, 64, 64),
        target_entropies=torch.zeros(3),
    )
    codecs, recipe = [random_codec(seed=1)], MixtureRecipe(crop=64, batch=3)
    return MixtureTraining(codecs, data, draw_targets(), list(PERIODS.values()), recipe, team=team)


def small_testbed(_folder: Path, team: Team) -> TestbedTraining:
    latents = torch.randn(6, 4, 32, 32, generator=torch.Generator().manual_seed(0)).half()
    data = LatentSet(latents, (("photo", "dog", "dog2"), ("comic", "", "")) * 3)
    return TestbedTraining(data, TestbedRecipe(batch=3), team=team)


def codec(folder: Path, team: Team, **scale: Any) -> EncoderDistillation:
    torch.manual_seed(3)
    crops, size = CropSampler(folder / PICTURES), replace(Scale(team, average=0.9), **scale)
    return EncoderDistillation(tiny_encoder(4), crops, seed=1, scale=size)


def strength_map(folder: Path, team: Team, **scale: Any) -> distill_map.MapDistillation:
    """Three crops and one of the bank a step."""
    return distill_map.MapDistillation(
        LpipsMap(folder / BACKBONE),
        CropSampler(folder / PICTURES),
        encode=lambda images: F.avg_pool2d(images, 8),
        scale=Scale(team, **scale),
    )


KINDS = {
    "mixture": mixture,
    "codec": codec,
    "strength-map": strength_map,
    "testbed": small_testbed,
}


@contextlib.contextmanager
def made_small() -> Generator[None, None, None]:
    """Narrow networks and small crops of odd numbers, so that shares are uneven."""
    with (
        patch.object(tiny, "WIDTH", 16),
        patch.object(distill_codec, "WIDTH", 16),
        patch.object(distill_codec, "CROP_SHAPES", ((5, 32), (3, 48))),
        patch.object(distill_map, "CROP", 48),
        patch.dict(UNET, {"block_out_channels": (32, 32, 32)}),
    ):
        yield


def weights(recipe: Any) -> dict[str, Tensor]:
    """What is learnt, by name."""
    if isinstance(recipe, MixtureTraining):
        return {"shared": recipe.shared, "group": recipe.group}
    network = recipe.network if isinstance(recipe, TestbedTraining) else recipe.result
    return dict(network.state_dict())


def train(
    kind: str,
    folder: Path,
    team: Team,
    checkpoint: Path,
    *,
    steps: int | None = None,
    **scale: Any,
) -> dict[str, Any]:
    """Train to the end, from the checkpoint where there is one.

    After step ``CUT`` a checkpoint is put aside, with "-cut" in its name.

    Returns:
        Losses of every step done now, the weights before and after.
    """
    with made_small():
        recipe: Recipe = KINDS[kind](folder, team, **scale)
        before = {key: tensor.clone() for key, tensor in weights(recipe).items()}
        losses: list[dict[str, float]] = []

        def on_step(step: int, _steps: int, found: dict[str, float]) -> None:
            losses.append(found)
            if step == CUT and team.main:
                save_checkpoint(recipe, step, cut_of(checkpoint))

        settings = LoopSettings(steps or STEPS[kind], checkpoint)
        run_training(recipe, settings, on_step, team=team)
    return {"losses": losses, "before": before, "weights": weights(recipe)}


def cut_of(checkpoint: Path) -> Path:
    return checkpoint.with_stem(f"{checkpoint.stem}-cut")


def whole_mixture(folder: Path, team: Team, checkpoint: Path) -> dict[str, Any]:
    """A mixture with its preparation: seven pictures, encoded, grouped and routed by all."""
    crops = CropSampler(folder / PICTURES)
    planned = MixturePlan(MixtureRecipe(crop=64, batch=3), steps=3, crops=7, groups=2)
    made = train_mixture(crops, [toy_codec()], planned, checkpoint=checkpoint, team=team).mixture
    told = {key: made.recipe[key] for key in ("grouped_as", "routed")}
    return {"told": told, "tensors": {"centroids": made.centroids, "shared": made.shared}}


def main(folder: Path) -> None:
    """Everything on this team: from nothing, and one from what one process began."""
    with joined_team() as team:
        found: dict[str, Any] = {"size": team.size}
        for kind in KINDS:
            found[kind] = train(kind, folder, team, folder / f"{kind}-team.pt")
        found["whole"] = whole_mixture(folder, team, folder / "whole-team.pt")
        found["resumed"] = train(BEGUN, folder, team, folder / "begun.pt")
        torch.save(found, folder / f"rank{team.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
