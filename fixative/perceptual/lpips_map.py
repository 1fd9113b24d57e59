"""The reference: LPIPS-Alex's spatial map (Zhang et al. 2018) through the `lpips` package."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fixative.errors import FixativeError, ImageError, WeightsError
from fixative.perceptual.checks import check_pair
from fixative.weights import load_tensors

#: Environment variables with the path of a safetensors file of torchvision's ``features`` (keys
#: ``0.weight`` …) of AlexNet and of VGG16.
BACKBONE_VARIABLE = "FIXATIVE_LPIPS_BACKBONE"
VGG_VARIABLE = "FIXATIVE_LPIPS_VGG_BACKBONE"
#: AlexNet leaves nothing of a smaller picture.
SMALLEST_SIDE = 31
_SLICES = ("slice1", "slice2", "slice3", "slice4", "slice5")
_NAMES = {"alex": "AlexNet", "vgg": "VGG16"}
#: What messages call it.
OWNER = "strength map 'lpips'"


class LpipsMap:
    """LPIPS-Alex's spatial map, as a `VisibilityMap`.

    Args:
        backbone: a safetensors file of torchvision's AlexNet ``features``; None takes the path in
            the environment variable FIXATIVE_LPIPS_BACKBONE and, without one, asks torchvision
            (which uses its own cache, or downloads 230 MB).
        device: where to compute.

    Raises:
        FixativeError: `lpips` is not installed, or there is no backbone; nothing else is used in
            its place.
    """

    name = "lpips"

    def __init__(
        self, backbone: str | Path | None = None, *, device: str | torch.device = "cpu"
    ) -> None:
        backbone = backbone or os.environ.get(BACKBONE_VARIABLE) or None
        self._device = torch.device(device)
        self._lpips = load_lpips(None if backbone is None else Path(backbone)).to(self._device)
        self._heads = [cast(nn.Module, head) for head in self._lpips.lins]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    @torch.no_grad()
    def __call__(self, before: Tensor, after: Tensor) -> Tensor:
        """Map how visible the change is, picture by picture as `LearnedMap` does.

        Args:
            before: (B, 3, H, W) float32 RGB in [0, 1], sides of 31 pixels or more.
            after: the same shape.

        Returns:
            (B, 1, H, W) float32 on the device, 0 = not visible.

        Raises:
            ImageError: not pictures in [0, 1], not of the same shape, or too small.
        """
        check_pair(before, after)
        if min(before.shape[-2:]) < SMALLEST_SIDE:
            raise ImageError(
                f"{OWNER}: expected sides of {SMALLEST_SIDE} pixels or more, got "
                f"{before.shape[-1]} × {before.shape[-2]}; use the strength map 'learned'"
            )
        before, after = before.to(self._device).float(), after.to(self._device).float()
        pairs = zip(before.split(1), after.split(1), strict=True)
        return torch.cat([self._lpips(one, other, normalize=True) for one, other in pairs])

    def features(self, images: Tensor) -> list[Tensor]:
        """The five layers' features of (B, 3, H, W) in [0, 1], of unit length at each position."""
        levels = self._lpips.net(self._lpips.scaling_layer(2 * images - 1))
        return [F.normalize(level, dim=1, eps=1e-10) for level in levels]

    def level_maps(self, before: list[Tensor], after: list[Tensor]) -> list[Tensor]:
        """The five layers' maps from `features`, each (B, 1, h, w) on its own grid."""
        levels = zip(self._heads, before, after, strict=True)
        return [head((a - b).square()) for head, a, b in levels]


def load_lpips(
    backbone: Path | None, *, net: str = "alex", spatial: bool = True, owner: str = OWNER
) -> Any:
    """The `lpips` package's module, for inference.

    Args:
        backbone: a safetensors file of the backbone's ``features``; None asks torchvision.
        net: ``alex`` or ``vgg``.
        spatial: a map instead of a number.
        owner: what messages say needs it.

    Raises:
        FixativeError: the package or the backbone is not there.
        WeightsError: the file is not that backbone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lpips  # noqa: PLC0415 (an optional extra)
    except ImportError as error:
        raise FixativeError(
            f"{owner}: needs the packages lpips and torchvision ({error}); install them "
            "(pip install lpips), or use 'learned'"
        ) from error
    package = cast(Any, lpips)
    if backbone is None:
        network = _with_torchvision_backbone(package, net, spatial, owner)
    else:
        tensors = load_tensors(backbone)
        network = _lpips_network(package, net, spatial, random_backbone=True)
        _fill_backbone(network.net, tensors, backbone, _NAMES[net])
    return network.eval().requires_grad_(False)


def _lpips_network(package: Any, net: str, spatial: bool, *, random_backbone: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's and torch's deprecations
        return package.LPIPS(net=net, spatial=spatial, pnet_rand=random_backbone, verbose=False)


def _with_torchvision_backbone(package: Any, net: str, spatial: bool, owner: str) -> Any:
    try:
        return _lpips_network(package, net, spatial, random_backbone=False)
    except Exception as error:  # a download fails in many ways, by platform and version
        variable = BACKBONE_VARIABLE if net == "alex" else VGG_VARIABLE
        raise FixativeError(
            f"{owner}: torchvision has no {_NAMES[net]} weights ({error}); connect once to "
            f"download them, set {variable} to a safetensors file of its features, or use "
            "'learned'"
        ) from error


def _fill_backbone(net: nn.Module, tensors: dict[str, Tensor], path: Path, name: str) -> None:
    """Give the slices their weights, strictly: all keys used, all layers filled, shapes equal."""
    layers = {
        f"{index}.{kind}": parameter
        for piece in _SLICES
        for index, layer in getattr(net, piece).named_children()
        for kind, parameter in layer.named_parameters()
    }
    wrong = sorted(set(layers) ^ set(tensors)) or sorted(
        key for key in layers if layers[key].shape != tensors[key].shape
    )
    if wrong:
        raise WeightsError(
            f"LPIPS backbone: {path} is not torchvision's {name} features (differs in "
            f"{', '.join(wrong[:4])}); give a file with their keys (0.weight, …)"
        )
    with torch.no_grad():
        for key, parameter in layers.items():
            parameter.copy_(tensors[key])
