"""What pictures are compared by: pooled features of networks that are there offline.

No network that was trained for recognising subjects is asked for, because none comes with the
project: AlexNet's features (those of LPIPS) where a person has them, the codec's own always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import CodecError, FixativeError
from fixative.perceptual.distance import offline
from fixative.perceptual.lpips_map import LpipsMap

ALEX = "alexnet"
CODEC = "codec"


class FeatureSpace(Protocol):
    """(B, 3, H, W) in [0, 1] → (B, D) float32 on the CPU, whatever the pictures' size."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    def __call__(self, images: Tensor) -> Tensor: ...


class CodecFeatures:
    """The codec's encoder at every scale: means and spreads of channels, and their correlations.

    Args:
        codec: shows its encoder's features; of one that does not, the latents alone are used.
    """

    name = CODEC

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.help = f"pooled features and latents of the codec {codec.name}"

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._one(image[None]) for image in images])

    def _one(self, image: Tensor) -> Tensor:
        try:
            latents, levels = self._codec.encode_with_features(image)
        except CodecError:
            latents, levels = self._codec.encode(image), []
        pooled = [moments(level) for level in (*levels, latents)]
        return torch.cat([*pooled, correlations((levels or [latents])[-1])], 1).cpu()


class AlexFeatures:
    """AlexNet's five levels as LPIPS compares them: means and spreads of the channels.

    Args:
        lpips: the reference map, which holds the network.
    """

    name = ALEX
    help = "pooled features of the five levels of AlexNet (the backbone of LPIPS)"

    def __init__(self, lpips: LpipsMap) -> None:
        self._lpips = lpips

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self._one(image[None]) for image in images])

    def _one(self, image: Tensor) -> Tensor:
        levels = self._lpips.features(image.to(self._lpips.device))
        return torch.cat([moments(level) for level in levels], 1).cpu()


class Nearness:
    """LPIPS of each of some pictures to each of some others.

    Args:
        lpips: the reference map, which holds the network.
    """

    name = "lpips-alex"

    def __init__(self, lpips: LpipsMap) -> None:
        self._lpips = lpips

    @torch.no_grad()
    def __call__(self, images: Tensor, others: Tensor) -> Tensor:
        """(N, 3, H, W) and (M, 3, H, W) in [0, 1] of one size → (N, M) float32."""
        seen = [self._lpips.features(each[None].to(self._lpips.device)) for each in images]
        around = [self._lpips.features(each[None].to(self._lpips.device)) for each in others]
        rows = [torch.stack([self._distance(one, other) for other in around]) for one in seen]
        return torch.stack(rows).cpu()

    def _distance(self, one: list[Tensor], other: list[Tensor]) -> Tensor:
        return torch.stack([m.mean() for m in self._lpips.level_maps(one, other)]).sum()


class Eyes:
    """All feature spaces there are, the one that p values are told of first.

    Args:
        codec: whose features are always there.
        lpips: AlexNet; None where it is not there.
        missing: why not.
    """

    def __init__(self, codec: Codec, lpips: LpipsMap | None, missing: str = "") -> None:
        alex: Sequence[FeatureSpace] = () if lpips is None else (AlexFeatures(lpips),)
        self.spaces: tuple[FeatureSpace, ...] = (*alex, CodecFeatures(codec))
        self.nearness = None if lpips is None else Nearness(lpips)
        self.missing = missing

    @property
    def measure(self) -> str:
        """What imitation is measured by."""
        if self.nearness is not None:
            return "LPIPS (Alex) to the nearest original"
        return f"mean cosine with the originals in the {self.spaces[0].help}"

    def vectors(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) → (N, D) of each space, by its name."""
        return {space.name: space(images) for space in self.spaces}


def load_eyes(codec: Codec, *, device: str | torch.device = "cpu") -> Eyes:
    """The feature spaces that need no download.

    Raises:
        FixativeError: an AlexNet that the environment names cannot be loaded.
    """
    if not offline("lpips-alex"):
        reason = "needs the package lpips and AlexNet's weights; nothing is downloaded"
        return Eyes(codec, None, reason)
    try:
        return Eyes(codec, LpipsMap(device=device))
    except ImportError as error:
        raise FixativeError(f"features: {error}") from error


def moments(level: Tensor) -> Tensor:
    """Mean and standard deviation of each channel over positions: (B, C, H, W) → (B, 2C)."""
    flat = level.flatten(2).float()
    return torch.cat([flat.mean(2), flat.std(2, correction=0)], 1)


def correlations(level: Tensor) -> Tensor:
    """How channels go together over positions: (B, C, H, W) → (B, C(C−1)/2) in [−1, 1].

    A texture's signature, without where things are (Gatys et al. 2015, normalised).
    """
    flat = level.flatten(2).float()
    flat = flat - flat.mean(2, keepdim=True)
    flat = torch.nn.functional.normalize(flat, dim=2)
    together = flat @ flat.transpose(1, 2)
    rows, columns = torch.triu_indices(level.shape[1], level.shape[1], 1)
    return together[:, rows, columns]
