"""Perceptual distances with gradients, for methods that keep a picture looking the same."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fixative.errors import FixativeError, SettingError
from fixative.perceptual.learned_map import WEIGHTS_FILE, load_map_network
from fixative.perceptual.lpips_map import BACKBONE_VARIABLE, load_lpips
from fixative.weights import verified_weights

#: Path of a safetensors file with torchvision's VGG16 ``features`` (keys ``0.weight`` …).
VGG_VARIABLE = "FIXATIVE_LPIPS_VGG_BACKBONE"
#: The choices, best first: IMPRESS used VGG.
DISTANCES = ("lpips-vgg", "lpips-alex", "learned")


class PerceptualDistance(Protocol):
    """(a, b), each (B, 3, H, W) in [0, 1] → (B,) distances, differentiable in both."""

    @property
    def name(self) -> str: ...

    def __call__(self, first: Tensor, second: Tensor) -> Tensor: ...


class LpipsDistance:
    """LPIPS (Zhang et al. 2018) through the `lpips` package.

    Args:
        net: ``alex`` or ``vgg``.
        device: where to compute.

    Raises:
        FixativeError: the package or the backbone is not there.
    """

    def __init__(self, net: str, *, device: str | torch.device = "cpu") -> None:
        variable = BACKBONE_VARIABLE if net == "alex" else VGG_VARIABLE
        self.name = f"lpips-{net}"
        backbone = os.environ.get(variable)
        path = None if backbone is None else Path(backbone)
        self._lpips: Any = load_lpips(path, net=net, spatial=False).to(device)
        self._device = torch.device(device)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        first, second = first.to(self._device), second.to(self._device)
        return self._lpips(first, second, normalize=True).flatten()


class LearnedDistance:
    """The mean of the shipped strength map, which imitates LPIPS-Alex's spatial map.

    Args:
        device: where to compute.
    """

    name = "learned"

    def __init__(self, *, device: str | torch.device = "cpu") -> None:
        self._network = load_map_network(verified_weights(WEIGHTS_FILE)).to(device)
        self._device = torch.device(device)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        first, second = first.to(self._device), second.to(self._device)
        return self._network(first, second).flatten(1).mean(1)


def load_distance(name: str = "best", *, device: str | torch.device = "cpu") -> PerceptualDistance:
    """A distance by name; ``best`` is the first of ``DISTANCES`` that is there, offline.

    Raises:
        SettingError: an unknown name.
        FixativeError: the one asked for is not there.
    """
    if name == "best":
        return _first_there(device)
    if name == "learned":
        return LearnedDistance(device=device)
    if name in DISTANCES:
        return LpipsDistance(name.removeprefix("lpips-"), device=device)
    raise SettingError(
        f"perceptual distance: expected one of best, {', '.join(DISTANCES)}; got {name!r}"
    )


def _first_there(device: str | torch.device) -> PerceptualDistance:
    for net in ("vgg", "alex"):
        if not _backbone_is_there(net):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return LpipsDistance(net, device=device)
        except FixativeError:
            continue
    return LearnedDistance(device=device)


def _backbone_is_there(net: str) -> bool:
    """Whether LPIPS would load without a download."""
    if os.environ.get(BACKBONE_VARIABLE if net == "alex" else VGG_VARIABLE):
        return True
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    return any(cache.glob("alexnet-*.pth" if net == "alex" else "vgg16-*.pth"))
