"""Random ±ε noise: the control that every effect is measured beside."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.protections.base import Proposal, Protection
from fixative.protections.method import Method, Request


class RandomNoise(Protection):
    """Each channel of each pixel moves by +ε or −ε, by a fair coin.

    Args:
        strength: budget in 1/255.
        seed: of the coin; every picture of a batch gets the same noise.
    """

    name = "noise"

    def __init__(self, *, strength: float = 8.0, seed: int = 0) -> None:
        super().__init__(strength=strength)
        self._seed = seed

    def _propose(self, images: Tensor) -> Proposal:
        generator = torch.Generator().manual_seed(self._seed)
        coins = torch.randint(0, 2, images.shape[1:], generator=generator).to(images)
        noise = (coins * 2 - 1) * self.epsilon
        return Proposal(noise.expand(len(images), -1, -1, -1))


def _make(request: Request) -> Protection:
    return RandomNoise(strength=request.strength, seed=request.seed)


METHOD = Method(RandomNoise.name, "random ±ε: the control of the same budget", _make)
