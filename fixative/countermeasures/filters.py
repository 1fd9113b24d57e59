"""Filters that published attacks are made of; they need scikit-image or OpenCV."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from fixative.countermeasures.base import Countermeasure, Outcome, StepCallback
from fixative.errors import SettingError
from fixative.registry import Parameter


class TvMinimisation(Countermeasure):
    """Total-variation minimisation (Chambolle 2004; against attacks: Guo et al. 2018).

    Args:
        weight: more smooths more; 0.01 to 1 on [0, 1] pictures.
    """

    name = "tv"
    parameters = (Parameter("weight", 0.05, 0.01, 1.0, "more smooths more"),)

    def __init__(self, *, weight: float = 0.05, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.weight = weight
        self._restoration = needed("skimage.restoration", "scikit-image", self.name)

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        pixels = rearrange(image[0], "c h w -> h w c").cpu().numpy()
        smooth = self._restoration.denoise_tv_chambolle(pixels, weight=self.weight, channel_axis=-1)
        return _from_array(smooth), {}


class AdverseCleaner(Countermeasure):
    """AdverseCleaner (Zhang 2023): 64 bilateral filters, then 4 guided by the original.

    Constants as published, on [0, 255]: bilateral d = 5, σ = 8 and 8; guided r = 4, ε = 16.
    """

    name = "adverse"
    BILATERAL = (64, 5, 8.0, 8.0)
    GUIDED = (4, 4, 16.0)

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._cv = needed("cv2", "opencv-contrib-python-headless", self.name)
        if not hasattr(self._cv, "ximgproc"):
            raise SettingError(
                "adverse: this OpenCV has no guided filter; install opencv-contrib-python-headless"
            )

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        guide = np.ascontiguousarray(rearrange(image[0] * 255, "c h w -> h w c").cpu().numpy())
        cleaned = guide.copy()
        times, diameter, colour, space = self.BILATERAL
        for _ in range(times):
            cleaned = self._cv.bilateralFilter(cleaned, diameter, colour, space)
        times, radius, epsilon = self.GUIDED
        for _ in range(times):
            cleaned = self._cv.ximgproc.guidedFilter(guide, cleaned, radius, epsilon)
        return _from_array(cleaned / 255), {}


def needed(module: str, package: str, owner: str) -> Any:
    """Import an optional library.

    Raises:
        SettingError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise SettingError(
            f"{owner}: needs the package {package} ({error}); install it: pip install {package}"
        ) from error


def _from_array(pixels: Any) -> Tensor:
    array = np.ascontiguousarray(pixels, dtype=np.float32)
    return rearrange(torch.from_numpy(array), "h w c -> 1 c h w")
