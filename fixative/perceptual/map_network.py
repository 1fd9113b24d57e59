"""A small network that stands in for LPIPS-Alex's spatial map (Zhang et al. 2018).

Like its teacher it encodes both pictures with the same layers, makes each position's features unit
length (so that texture hides a change, as it does to the eye) and adds up weighted squared
differences; identical pictures therefore give exactly 0. Its grids (stride 4, 8 and 16, without
padding) are AlexNet's, so that a map can be compared position by position.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Channels at strides 4, 8 and 16.
WIDTHS = (24, 48, 96)
#: Blocks at strides 8 and 16; each stride-16 block feeds a head of its own.
BLOCKS = (1, 2)
#: Smallest side, in pixels, that leaves one position at stride 16; smaller pictures are padded.
SMALLEST_SIDE = 32
#: A place shows a change at most e^4 times more or less than its difference alone says.
LARGEST_LOG_GAIN = 4.0
_MID_GREY = 0.5


class UnitPair(NamedTuple):
    """Features of two pictures, made unit length at each position.

    Attributes:
        difference: (B, C, h, w) after − before.
        middle: (B, C, h, w) their mean.
        log_length: (B, 1, h, w) mean logarithm of the squared lengths they had.
    """

    difference: Tensor
    middle: Tensor
    log_length: Tensor


class MixBlock(nn.Module):
    """Depthwise 5×5, then two pointwise layers, with a skip connection."""

    def __init__(self, width: int, *, inner: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.expand = nn.Conv2d(width, inner, 1)
        self.reduce = nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.reduce(F.relu_(self.expand(self.spread(x))))


class MaskedHead(nn.Module):
    """Weighted squared differences, times how much the place shows or hides a change."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_weight = nn.Parameter(torch.zeros(width))
        self.masking = nn.Parameter(torch.zeros(width + 1))

    def forward(self, pair: UnitPair) -> Tensor:
        """(B, 1, h, w) ≥ 0."""
        energy = torch.einsum("bchw,c->bhw", pair.difference.square(), self.log_weight.exp())
        seen = torch.einsum("bchw,c->bhw", pair.middle, self.masking[:-1])
        log_gain = seen + self.masking[-1] * pair.log_length[:, 0]
        return (energy * log_gain.clamp(-LARGEST_LOG_GAIN, LARGEST_LOG_GAIN).exp())[:, None]


class MapNetwork(nn.Module):
    """(before, after) → how visible the change is, at each pixel, on LPIPS's scale."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, deep = WIDTHS
        self.stem = nn.Conv2d(3, fine, 7, stride=4)
        self.down8 = nn.Conv2d(fine, middle, 3, stride=2)
        self.blocks8 = nn.Sequential(*(MixBlock(middle, inner=middle) for _ in range(BLOCKS[0])))
        self.head8 = MaskedHead(middle)
        self.down16 = nn.Conv2d(middle, deep, 3, stride=2)
        self.blocks16 = nn.ModuleList(MixBlock(deep, inner=2 * deep) for _ in range(BLOCKS[1]))
        self.heads16 = nn.ModuleList(MaskedHead(deep) for _ in range(BLOCKS[1]))

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Map the change.

        Args:
            before: (B, 3, H, W) float32 RGB in [0, 1], any size.
            after: the same shape.

        Returns:
            (B, 1, H, W) float32, 0 = not visible; LPIPS-Alex's scale (seldom above 1).
        """
        height, width = before.shape[-2:]
        before, after = _at_least(before, SMALLEST_SIDE), _at_least(after, SMALLEST_SIDE)
        # Joined at stride 8: joining the pictures themselves would cost a tenth of the time.
        shallow, deep = self.maps(torch.cat([self.entry(before), self.entry(after)]))
        total = shallow + _stretch(deep, shallow.shape[-2], shallow.shape[-1])
        return _stretch(total, before.shape[-2], before.shape[-1])[..., :height, :width]

    def entry(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → features (B, C, h, w) at stride 8."""
        return F.relu_(self.down8(self.first_layer(images)))

    def maps(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The map's two parts on their own grids.

        Args:
            features: (2B, C, h, w) from `entry`: of the pictures before, then of those after.

        Returns:
            (B, 1, h, w) at stride 8, standing for the teacher's first two layers, and
            (B, 1, h', w') at stride 16, standing for its last three.
        """
        return self.weigh(self.pairs(features))

    def pairs(self, features: Tensor) -> list[UnitPair]:
        """What the heads look at, from `entry`'s features: one at stride 8, then those at 16."""
        x = self.blocks8(features)
        found = [unit_pair(x)]
        x = F.relu_(self.down16(x))
        for block in self.blocks16:
            x = block(x)
            found.append(unit_pair(x))
        return found

    def weigh(self, pairs: list[UnitPair]) -> tuple[Tensor, Tensor]:
        """The two maps (see `maps`) of `pairs`."""
        shallow: Tensor = self.head8(pairs[0])
        deep = [head(pair) for head, pair in zip(self.heads16, pairs[1:], strict=True)]
        return shallow, torch.stack(deep).sum(0)

    def first_layer(self, images: Tensor) -> Tensor:
        """The stem on ``images − 0.5``, without a copy of the pictures; at stride 4."""
        assert self.stem.bias is not None
        bias = self.stem.bias - _MID_GREY * self.stem.weight.sum((1, 2, 3))
        return F.relu_(F.conv2d(images, self.stem.weight, bias, stride=4))


def unit_pair(features: Tensor) -> UnitPair:
    """From (2B, C, h, w): features of the pictures before, then of those after."""
    squared = features.square().sum(1, keepdim=True).add(1e-6)
    before, after = (features * squared.rsqrt()).chunk(2)
    one, other = squared.log().chunk(2)
    return UnitPair(after - before, (before + after) / 2, (one + other) / 2)


def random_map_network(seed: int) -> MapNetwork:
    """A network to train: weights drawn with ``seed``, each layer keeping its input's variance."""
    generator = torch.Generator().manual_seed(seed)
    network = MapNetwork()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def _at_least(images: Tensor, side: int) -> Tensor:
    """Repeat the right and bottom edges of pictures smaller than ``side``."""
    down, right = max(0, side - images.shape[-2]), max(0, side - images.shape[-1])
    return F.pad(images, (0, right, 0, down), mode="replicate") if down or right else images


def _stretch(maps: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
