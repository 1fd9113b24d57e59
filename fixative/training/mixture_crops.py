"""Which crops a step of a mixture training learns from."""

from __future__ import annotations

from dataclasses import replace

import torch

from fixative.mixture import SIDE
from fixative.training.mixture_recipe import MixtureRecipe
from fixative.training.mixture_set import Crop, MixtureSet

#: Crops begin at multiples of this, in pixels; no encoder we know downscales by more than 32.
GRID = 64


def draw_crops(
    recipe: MixtureRecipe, data: MixtureSet, targets: int, generator: torch.Generator
) -> list[Crop]:
    """Pictures at random, one place for all, so that their target is encoded once.

    Args:
        recipe: settings.
        data: the training pictures.
        targets: how many targets there are.
        generator: of the draw.
    """
    places = (SIDE - recipe.crop) // GRID + 1
    top, left = (int(i) * GRID for i in torch.randint(places, (2,), generator=generator))
    numbers = torch.randint(len(data.pictures), (recipe.batch,), generator=generator)
    crops = [
        Crop(i, _target_of(i, recipe, data), int(data.group[i]), top, left)
        for i in map(int, numbers)
    ]
    return crops if recipe.spread == 0 else _spread(crops, recipe.spread, targets, generator)


def _spread(
    crops: list[Crop], share: float, targets: int, generator: torch.Generator
) -> list[Crop]:
    """Send some of the crops to a target drawn by lot."""
    chances = torch.rand(len(crops), generator=generator)
    lots = torch.randint(targets, (len(crops),), generator=generator)
    return [
        replace(crop, target=int(target)) if chance < share else crop
        for crop, chance, target in zip(crops, chances, lots, strict=True)
    ]


def _target_of(picture: int, recipe: MixtureRecipe, data: MixtureSet) -> int:
    return int(data.target[picture]) if recipe.adaptive_target else recipe.fixed_target
