"""How a change looks: PSNR, SSIM, a perceptual distance, and DISTS where it is there."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.errors import FixativeError
from fixative.metrics import psnr
from fixative.perceptual.distance import PerceptualDistance
from fixative.perceptual.lpips_map import SMALLEST_SIDE

#: SSIM's Gaussian window spans so many pixels.
SSIM_WINDOW = 11
PSNR, SSIM, DISTS = "psnr", "ssim", "dists"


@dataclass(frozen=True)
class Measure:
    """A column of the tables.

    Attributes:
        name: its key in results.
        label: as people read it.
        better: ``higher`` or ``lower``: what makes a change less visible.
        missing: why it is not measured; empty where it is.
    """

    name: str
    label: str
    better: str
    missing: str = ""


@dataclass
class Visual:
    """Compares pictures by every measure that is there, offline.

    Args:
        distance: LPIPS or its stand-in; its name is the measure's.
    """

    distance: PerceptualDistance
    measures: list[Measure] = field(init=False)

    def __post_init__(self) -> None:
        self._ssim, no_ssim = _optional(_load_ssim)
        self._dists, no_dists = _optional(_load_dists)
        self.measures = [
            Measure(PSNR, "PSNR dB", "higher"),
            Measure(SSIM, "SSIM", "higher", no_ssim),
            Measure(self.distance.name, _label(self.distance.name), "lower"),
            Measure(DISTS, "DISTS", "lower", no_dists),
        ]

    @torch.no_grad()
    def compare(self, image: Tensor, reference: Tensor) -> dict[str, float | None]:
        """Measure (1, 3, H, W) against another of the same size.

        Returns:
            By measure; None where it says nothing (PSNR of equal pictures, or a picture too small
            for the measure). What is missing has no entry.
        """
        decibel = psnr(image, reference).item()
        found: dict[str, float | None] = {PSNR: decibel if math.isfinite(decibel) else None}
        if self._ssim is not None:
            found[SSIM] = self._structure(image, reference)
        found[self.distance.name] = self._perceived(image, reference)
        if self._dists is not None:
            found[DISTS] = float(self._dists(image, reference).item())
        return found

    def _structure(self, image: Tensor, reference: Tensor) -> float | None:
        """As Wang et al. 2004: Gaussian weights of σ 1.5, on the colour channels' mean."""
        if min(image.shape[-2:]) < SSIM_WINDOW:
            return None
        one, other = (picture[0].cpu().double().numpy() for picture in (image, reference))
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        assert self._ssim is not None
        return float(self._ssim(one, other, channel_axis=0, data_range=1.0, **settings))

    def _perceived(self, image: Tensor, reference: Tensor) -> float | None:
        if min(image.shape[-2:]) < SMALLEST_SIDE:
            return None
        return float(self.distance(image, reference)[0])


def _label(distance: str) -> str:
    labels = {
        "lpips-vgg": "LPIPS (VGG)",
        "lpips-alex": "LPIPS (Alex)",
        "learned": "visibility (stand-in for LPIPS)",
    }
    return labels.get(distance, distance)


def _optional(load: Any) -> tuple[Any, str]:
    """What ``load`` gives and an empty reason, or None and the reason."""
    try:
        return load(), ""
    except (FixativeError, ImportError) as error:
        return None, " ".join(str(error).split())


def _load_ssim() -> Any:
    try:
        from skimage.metrics import structural_similarity  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise FixativeError(
            f"needs scikit-image ({error}): pip install 'fixative[platform]'"
        ) from error
    return structural_similarity


def _load_dists() -> Any:
    """DISTS (Ding et al. 2020) by its authors' package, if nothing has to be downloaded."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    if not any(cache.glob("vgg16-*.pth")):
        raise FixativeError("needs VGG16's weights in torch's cache; nothing is downloaded")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's of how the package asks
            package: Any = import_module("DISTS_pytorch")  # optional, and without types
            return package.DISTS().eval()
    except (ImportError, OSError) as error:
        raise FixativeError(f"needs the package dists-pytorch ({error})") from error
