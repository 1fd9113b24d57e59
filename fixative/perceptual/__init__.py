"""How visible a change is, position by position: LPIPS's spatial map and its learned stand-in."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from fixative.errors import SettingError
from fixative.perceptual.learned_map import LearnedMap
from fixative.perceptual.lpips_map import BACKBONE_VARIABLE, LpipsMap
from fixative.perceptual.map_network import MapNetwork

__all__ = [
    "BACKBONE_VARIABLE",
    "VISIBILITY_MAPS",
    "LearnedMap",
    "LpipsMap",
    "MapNetwork",
    "VisibilityMap",
    "load_visibility_map",
]

VISIBILITY_MAPS = ("learned", "lpips")


class VisibilityMap(Protocol):
    """(before, after) → how visible the change is at each pixel.

    Both are (B, 3, H, W) float32 RGB in [0, 1] of one shape; the map is (B, 1, H, W) float32,
    0 where nothing is seen, on LPIPS's scale.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, before: Tensor, after: Tensor) -> Tensor: ...


def load_visibility_map(name: str, *, device: str | torch.device = "cpu") -> VisibilityMap:
    """Load a map by name.

    Args:
        name: ``learned`` (the shipped network, offline) or ``lpips`` (the reference, which needs
            the `lpips` package and a backbone; see `LpipsMap`).
        device: where it computes.

    Raises:
        SettingError: an unknown name.
        WeightsError: the shipped network is missing or damaged.
        FixativeError: `lpips` or its backbone is not there.
    """
    if name == "learned":
        return LearnedMap(device=device)
    if name == "lpips":
        return LpipsMap(device=device)
    raise SettingError(f"strength map: expected {' or '.join(VISIBILITY_MAPS)}; got {name!r}")
