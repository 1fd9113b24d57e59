"""FastProtect, composed: encode once, assign, choose a target, scale, add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.images import check_images
from fixative.metrics import pull
from fixative.mixture import Mixture, require_family
from fixative.perceptual import VisibilityMap, load_visibility_map
from fixative.protections.base import (
    Proposal,
    Protected,
    Protection,
    checked_pairs,
    measure_change,
)
from fixative.steps import (
    AssignedPictures,
    PictureReport,
    TargetPerturbation,
    assign_pictures,
    strength_factors,
    target_perturbation,
    working_copies,
)
from fixative.target import AUTO, choose_target

__all__ = ["MAP_OFF", "PictureReport", "ProtectSettings", "Protector"]

MAP_OFF = "off"


@dataclass(frozen=True)
class ProtectSettings:
    """What a person chooses.

    Attributes:
        strength: L-infinity budget in 1/255, 0 to 32 (the paper's: 8).
        target: ``auto``, ``low``, ``mid`` or ``high`` pattern repetition.
        strength_map: ``learned`` (shipped network), ``lpips`` (the reference) or ``off``.
    """

    strength: float = 8.0
    target: str = AUTO
    strength_map: str = "learned"


class Protector(Protection):
    """Protect pictures with a learnt mixture of perturbations (Ahn et al. 2025).

    Everything is decided on a 512 × 512 copy; the perturbation and the strength map are resized
    to the picture, so the cost hardly depends on its size.

    Args:
        codec: encodes the copies; its family must be the mixture's.
        mixture: the learnt perturbations.
        settings: strength, target and map.
        visibility: a map already loaded; otherwise the one that the settings name.

    Raises:
        MixtureError: the mixture is of another latent family.
        SettingError: a setting outside its range, or unknown.
    """

    name = "mixture"

    def __init__(
        self,
        codec: Codec,
        mixture: Mixture,
        settings: ProtectSettings | None = None,
        *,
        visibility: VisibilityMap | None = None,
    ) -> None:
        settings = settings or ProtectSettings()
        super().__init__(strength=settings.strength)
        require_family(mixture, codec.family, codec.latent_channels)
        if settings.target not in (AUTO, *mixture.target_names):
            names = ", ".join((AUTO, *mixture.target_names))
            raise SettingError(f"target: expected one of {names}; got {settings.target!r}")
        self.codec, self.mixture, self.settings = codec, mixture, settings
        if settings.strength_map == MAP_OFF:
            visibility = None
        elif visibility is None:
            visibility = load_visibility_map(settings.strength_map, device=codec.device)
        self._visibility = visibility

    @torch.no_grad()
    def measure_pull(self, images: Tensor, protected: Tensor) -> Tensor:
        """Pull towards each picture's target, on the 512 copies, (B,); costs two encodes."""
        check_images(images)
        copies = (working_copies(x).to(self.codec.device) for x in (images, protected))
        before, after = (self.codec.encode(copy) for copy in copies)
        choice = choose_target(
            before,
            self.mixture.target_entropies,
            self.mixture.target_names,
            target=self.settings.target,
        )
        targets = self.mixture.target_latents.to(before.device)[choice.index]
        return pull(after, before, targets).cpu()

    def protect_many(
        self, pictures: Sequence[Tensor], masks: Sequence[Tensor | None] | None = None
    ) -> list[Protected]:
        """As ``Protection.protect_many``; the codec gets all the 512 × 512 copies at once.

        A picture whose group or target is a near tie may come out otherwise than alone.
        """
        pairs = checked_pairs(pictures, masks)
        copies = torch.cat([working_copies(image) for image, _ in pairs])
        chosen, factors = self._chosen(copies, together=len(copies))
        proposal = Proposal(chosen.perturbation, factors, chosen.assigned.details())
        return [self._finish(image, proposal.of(i), mask) for i, (image, mask) in enumerate(pairs)]

    def _propose(self, images: Tensor) -> Proposal:
        chosen, factors = self._chosen(images)
        return Proposal(chosen.perturbation, factors, chosen.assigned.details())

    def _chosen(
        self, images: Tensor, *, together: int = 1
    ) -> tuple[TargetPerturbation, Tensor | None]:
        """Each picture's perturbation, and the map's factors on it where there is one."""
        copies = working_copies(images).to(self.codec.device)  # once for all steps
        assigned = assign_pictures(
            copies, self.codec, self.mixture, target=self.settings.target, together=together
        )
        chosen = self._perturbation(assigned)
        factors = None
        if self._visibility is not None and self.strength > 0:
            factors = strength_factors(copies, chosen, self._visibility)
        return chosen, factors

    def _perturbation(self, assigned: AssignedPictures) -> TargetPerturbation:
        return target_perturbation(self.mixture, assigned, strength=self.strength)

    def _report(self, before: Tensor, after: Tensor, details: dict[str, Any]) -> PictureReport:
        return PictureReport(**measure_change(before, after, self.strength), **details)
