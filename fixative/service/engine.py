"""Codec, mixture and strength map, loaded once; settings may differ from request to request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fixative.batch import EngineChoice, build_protector
from fixative.codecs import EMBEDDED
from fixative.codecs.base import Codec
from fixative.mixture import Mixture
from fixative.perceptual import load_visibility_map
from fixative.pictures.picture import Pixels, images_to_pixels, pixels_to_images
from fixative.protector import MAP_OFF, PictureReport, Protector, ProtectSettings


@dataclass(frozen=True)
class Outcome:
    """One protected picture.

    Attributes:
        pixels: (H, W, 3) uint8.
        report: what the engine chose and why.
    """

    pixels: Pixels
    report: PictureReport


class Engine:
    """Protects pictures of one size together; to be called from one thread at a time.

    Args:
        codec: encodes the pictures.
        mixture: the learnt perturbations, of the codec's family.
    """

    def __init__(self, codec: Codec, mixture: Mixture) -> None:
        self._codec, self._mixture = codec, mixture
        self._visibility = load_visibility_map("learned", device=codec.device)

    @classmethod
    def load(cls, codec: str = EMBEDDED, mixture: Path | None = None) -> Engine:
        """Load what pictures are protected with.

        Raises:
            FixativeError: a file is missing, damaged, or does not fit the other.
        """
        choice = EngineChoice(codec, mixture, ProtectSettings(strength_map=MAP_OFF))
        protector = build_protector(choice)
        return cls(protector.codec, protector.mixture)

    def __call__(self, pictures: Sequence[Pixels], settings: ProtectSettings) -> list[Outcome]:
        """Protect a batch; each picture comes out as it would alone.

        Args:
            pictures: (H, W, 3) uint8, all of one size.
            settings: strength, target and map.

        Raises:
            SettingError: a setting outside its range, or unknown.
        """
        visibility = None if settings.strength_map == MAP_OFF else self._visibility
        protector = Protector(self._codec, self._mixture, settings, visibility=visibility)
        protected = protector.protect(torch.cat([pixels_to_images(x) for x in pictures]))
        images = protected.image.split(1)
        return [
            Outcome(images_to_pixels(image), report)
            for image, report in zip(images, protected.reports, strict=True)
        ]
