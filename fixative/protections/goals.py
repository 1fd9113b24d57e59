"""Where a protection steers the latents to: those of a drawn pattern, of a picture, or zero."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient
from fixative.errors import SettingError
from fixative.mixture import SIDE, Mixture, require_family
from fixative.steps import assign_pictures
from fixative.target import AUTO
from fixative.training.targets import PERIODS, draw_targets

#: A picture (1, 3, H, W) → the latents to reach, (1, C, h, w) on its grid or broadcast to it.
Goal = Callable[[Tensor], Tensor]
ZERO = "zero"


def zero_goal(image: Tensor) -> Tensor:
    """All latents zero, (1, 1, 1, 1)."""
    return image.new_zeros(1, 1, 1, 1)


def given_goal(latents: Tensor) -> Goal:
    """Latents that are there already, (1, C, h or 1, w or 1), whatever the picture."""
    return lambda image: latents.to(image.device)


class PatternGoal:
    """E(y) of a pattern that repeats, at the picture's size and the pattern's own scale.

    Args:
        codec: encodes it.
        pattern: (3, h, w) in [0, 1], one or more whole repeats; it goes on beyond its edges.
    """

    def __init__(self, codec: Codec, pattern: Tensor) -> None:
        self._gradient, self._pattern = LatentGradient(codec), pattern
        self._known: dict[tuple[int, int], Tensor] = {}

    def __call__(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if (height, width) not in self._known:
            drawn = repeated(self._pattern, height, width)[None].to(image)
            self._known = {(height, width): self._gradient.encode(drawn)}
        return self._known[height, width]


class TargetGoal:
    """E(y) of one of the mixture's target pictures.

    A picture of 512 × 512 has exactly the mixture's goal; on others the motif keeps its size in
    pixels instead of being stretched, since a codec sees patterns at their own scale.

    Args:
        codec: encodes them.
        target: ``low``, ``mid``, ``high``; or ``auto``, for the one that the mixture would choose.
        mixture: what chooses, for ``auto``.

    Raises:
        SettingError: ``auto`` without a mixture.
        MixtureError: the mixture is of another latent family.
    """

    def __init__(self, codec: Codec, target: str = AUTO, mixture: Mixture | None = None) -> None:
        if target == AUTO:
            if mixture is None:
                raise SettingError(
                    f"goal: {AUTO} needs a mixture, which knows its targets' entropies; give one "
                    f"or name a goal: {', '.join(PERIODS)}, {ZERO}"
                )
            require_family(mixture, codec.family, codec.latent_channels)
        drawn = dict(zip(PERIODS, draw_targets(), strict=True))
        self._codec, self._mixture, self._target = codec, mixture, target
        self._goals = {name: PatternGoal(codec, pattern) for name, pattern in drawn.items()}

    def __call__(self, image: Tensor) -> Tensor:
        return self._goals[self._name_for(image)](image)

    def _name_for(self, image: Tensor) -> str:
        if self._target != AUTO or self._mixture is None:
            return self._target
        return assign_pictures(image, self._codec, self._mixture).details()[0]["target"]


def repeated(pattern: Tensor, height: int, width: int) -> Tensor:
    """(3, h, w) side by side to (3, height, width), from the top left."""
    down, right = -(-height // pattern.shape[-2]), -(-width // pattern.shape[-1])
    return pattern.repeat(1, down, right)[..., :height, :width]


def mist_pattern() -> Tensor:
    """A black and white pattern of period 64, (3, 512, 512), for Mist's texture mode.

    Mist ships a picture of its own name in white on black, repeated; this is the like of it:
    strokes of 8 pixels at full contrast, as concentric diamonds in every other square.
    """
    place = torch.arange(SIDE)
    within = (place % 64) - 31.5
    rings = ((within[:, None].abs() + within[None, :].abs()) // 8) % 2
    squares = (place[:, None] // 64 + place[None, :] // 64) % 2
    return (rings.long() ^ squares).float().expand(3, -1, -1).contiguous()
