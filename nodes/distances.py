"""The perceptual distances with gradients, each loaded once."""

from __future__ import annotations

from functools import lru_cache

import torch

from fixative.errors import FixativeError
from fixative.perceptual.distance import BEST, DISTANCES, PerceptualDistance, load_distance

#: What the nodes offer.
CHOICES = (BEST, *DISTANCES)


@lru_cache(maxsize=2)
def perceptual_distance(name: str = BEST) -> PerceptualDistance:
    """A distance by name; see ``fixative.perceptual.distance.load_distance``.

    Raises:
        FixativeError: it is not available here.
    """
    try:
        with torch.inference_mode(False):  # tensors made in that mode refuse gradients for ever
            return load_distance(name)
    except FixativeError as error:
        raise FixativeError(f"distance: {name} is not available here. {error}") from error


def told(distance: str) -> str:
    """A distance's name as reports have it: the stand-in is called one."""
    return "learned (the built-in stand-in for LPIPS)" if distance == "learned" else distance
