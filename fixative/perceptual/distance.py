"""Perceptual distances with gradients, for methods that keep a picture looking the same."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fixative.errors import ImageError
from fixative.perceptual.learned_map import WEIGHTS_FILE, load_map_network
from fixative.perceptual.lpips_map import (
    BACKBONE_VARIABLE,
    SMALLEST_SIDE,
    VGG_VARIABLE,
    load_lpips,
)
from fixative.registry import choose
from fixative.weights import verified_weights

BEST = "best"


class PerceptualDistance(Protocol):
    """(a, b), each (B, 3, H, W) in [0, 1] → (B,) distances, differentiable in both."""

    @property
    def name(self) -> str: ...

    def __call__(self, first: Tensor, second: Tensor) -> Tensor: ...


class LpipsDistance:
    """LPIPS (Zhang et al. 2018) through the `lpips` package.

    Args:
        net: ``alex`` or ``vgg``. The backbone is the file that the environment variable
            FIXATIVE_LPIPS_BACKBONE or FIXATIVE_LPIPS_VGG_BACKBONE names, or else torchvision's.
        device: where to compute.

    Raises:
        FixativeError: the package or the backbone is not there.
        WeightsError: the file is not that backbone.
    """

    def __init__(self, net: str, *, device: str | torch.device = "cpu") -> None:
        self.name = f"lpips-{net}"
        named = os.environ.get(_VARIABLES[net])
        path = Path(named) if named else None
        owner = f"perceptual distance {self.name!r}"
        self._lpips: Any = load_lpips(path, net=net, spatial=False, owner=owner).to(device)
        self._device = torch.device(device)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Raises ImageError for sides of less than 31 pixels, of which no feature is left."""
        if min(first.shape[-2:]) < SMALLEST_SIDE:
            raise ImageError(
                f"perceptual distance {self.name!r}: expected sides of {SMALLEST_SIDE} pixels or "
                f"more, got {first.shape[-1]} × {first.shape[-2]}; use the distance 'learned'"
            )
        first, second = first.to(self._device), second.to(self._device)
        return self._lpips(first, second, normalize=True).flatten()


class LearnedDistance:
    """The mean of the shipped strength map, which imitates LPIPS-Alex's spatial map.

    Args:
        device: where to compute.

    Raises:
        WeightsError: the shipped network is missing or damaged.
    """

    name = "learned"

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        self._network = load_map_network(verified_weights(WEIGHTS_FILE)).to(device)
        self._device = torch.device(device)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        first, second = first.to(self._device), second.to(self._device)
        return self._network(first, second).flatten(1).mean(1)


#: The choices, best first: IMPRESS used VGG.
DISTANCES = ("lpips-vgg", "lpips-alex", "learned")
_VARIABLES = {"alex": BACKBONE_VARIABLE, "vgg": VGG_VARIABLE}
_CACHED = {"alex": "alexnet-*.pth", "vgg": "vgg16-*.pth"}


def load_distance(name: str = BEST, *, device: str | torch.device = "cpu") -> PerceptualDistance:
    """A distance by name.

    Args:
        name: of ``DISTANCES``, or ``best``: the first of them that needs no download. A backbone
            that an environment variable names counts as there: if it cannot be loaded, that is
            an error.
        device: where it computes.

    Raises:
        SettingError: an unknown name.
        FixativeError: the one asked for is not there.
    """
    known = {each: each for each in (BEST, *DISTANCES)}
    name = choose(known, name, what="perceptual distance")
    if name == BEST:
        name = next(each for each in DISTANCES if each == "learned" or offline(each))
    if name == "learned":
        return LearnedDistance(device=device)
    return LpipsDistance(name.removeprefix("lpips-"), device=device)


def offline(name: str) -> bool:
    """Whether LPIPS (``lpips-alex``, ``lpips-vgg``) would load without a download."""
    net = name.removeprefix("lpips-")
    if os.environ.get(_VARIABLES[net]):
        return True
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    return find_spec("lpips") is not None and any(cache.glob(_CACHED[net]))
