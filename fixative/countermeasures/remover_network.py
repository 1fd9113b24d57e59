"""A small network that sees a tool's perturbation in a picture and draws it."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fixative.images import pad_to_multiple

#: Pixels a side that are taken together (FFDNet, Zhang et al. 2018), which quarters the work.
FOLD = 2
#: Gaps between the taps of each block's convolutions: together they see 90 pixels.
DILATIONS = (1, 2, 4, 2, 1)
_MID_GREY = 0.5
#: The output's unit: one level.
_LEVEL = 1 / 255


class RemoverShape(NamedTuple):
    """The size of a network.

    Attributes:
        width: channels within.
        blocks: number of residual blocks.
    """

    width: int
    blocks: int


SHAPE = RemoverShape(48, len(DILATIONS))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a skip connection."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu_(self.first(x)))


class RemoverNetwork(nn.Module):
    """Protected picture → the perturbation in it.

    Before any training it sees none anywhere.
    """

    def __init__(self, shape: RemoverShape = SHAPE) -> None:
        super().__init__()
        folded = 3 * FOLD**2
        dilations = [DILATIONS[number % len(DILATIONS)] for number in range(shape.blocks)]
        self.entry = nn.Conv2d(folded, shape.width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(shape.width, each) for each in dilations))
        self.exit = nn.Conv2d(shape.width, folded, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        assert self.exit.bias is not None
        nn.init.zeros_(self.exit.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Draw the perturbation.

        Args:
            images: (B, 3, H, W) in [0, 1], any size.

        Returns:
            (B, 3, H, W) on [0, 1], about −ε to ε.
        """
        height, width = images.shape[-2:]
        folded = F.pixel_unshuffle(pad_to_multiple(images, FOLD) - _MID_GREY, FOLD)
        seen = self.exit(F.relu(self.blocks(self.entry(folded))))
        return F.pixel_shuffle(seen, FOLD)[..., :height, :width] * _LEVEL


def random_remover(seed: int, shape: RemoverShape = SHAPE) -> RemoverNetwork:
    """A network to train, its weights drawn with ``seed``; the last layer is zero."""
    generator = torch.Generator().manual_seed(seed)
    network = RemoverNetwork(shape)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer is not network.exit:
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network
