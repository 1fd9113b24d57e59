"""FastProtect, composed: encode once, assign, choose a target, scale, add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.images import check_images, resize
from fixative.metrics import pull
from fixative.mixture import SIDE, Mixture, require_family
from fixative.perceptual import VisibilityMap, load_visibility_map
from fixative.protections.base import ChangeReport, Proposal, Protection, measure_change
from fixative.strength import adaptive_strength
from fixative.target import AUTO, choose_target

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


@dataclass(frozen=True)
class PictureReport(ChangeReport):
    """What was chosen for one picture, and why.

    Attributes:
        group: index of the nearest centroid.
        group_distances: root mean square latent distance to each centroid.
        target: name of the target aimed at.
        entropy: H(E(x)) in bits.
        target_entropies: H(z_y) in bits by target.
        codec: name of the codec.
        family: its latent family.
        mixture: name of the mixture.
    """

    group: int
    group_distances: list[float]
    target: str
    entropy: float
    target_entropies: dict[str, float]
    codec: str
    family: str
    mixture: str


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
        before, after = (self.codec.encode(self._copy(x)) for x in (images, protected))
        choice = choose_target(
            before,
            self.mixture.target_entropies,
            self.mixture.target_names,
            target=self.settings.target,
        )
        targets = self.mixture.target_latents.to(before.device)[choice.index]
        return pull(after, before, targets).cpu()

    def _copy(self, images: Tensor) -> Tensor:
        return resize(images.float(), SIDE, SIDE).clamp(0, 1).to(self.codec.device)

    @torch.no_grad()
    def _propose(self, images: Tensor) -> Proposal:
        copies = torch.cat([self._copy(image[None]) for image in images])
        latents = torch.cat([self.codec.encode(copy[None]) for copy in copies])
        assignment = assign(latents, self.mixture.centroids)
        choice = choose_target(
            latents,
            self.mixture.target_entropies,
            self.mixture.target_names,
            target=self.settings.target,
        )
        perturbation = self.mixture.combined(choice.index, assignment.group)
        perturbation = perturbation.mul_(self.epsilon / self.mixture.eta).to(copies.device)
        factors = None
        if self._visibility is not None and self.strength > 0:
            first_pass = (copies + perturbation).clamp_(0, 1)
            factors = adaptive_strength(self._visibility(copies, first_pass))
        details = [
            self._details(int(k), row.tolist(), int(t), float(h))
            for k, row, t, h in zip(
                assignment.group, assignment.distances, choice.index, choice.entropies, strict=True
            )
        ]
        return Proposal(perturbation, factors, details)

    def _details(
        self, group: int, distances: list[float], target: int, entropy: float
    ) -> dict[str, Any]:
        names, entropies = self.mixture.target_names, self.mixture.target_entropies.tolist()
        return {
            "group": group,
            "group_distances": distances,
            "target": names[target],
            "entropy": entropy,
            "target_entropies": dict(zip(names, entropies, strict=True)),
            "codec": self.codec.name,
            "family": self.codec.family,
            "mixture": self.mixture.name,
        }

    def _report(self, before: Tensor, after: Tensor, details: dict[str, Any]) -> PictureReport:
        return PictureReport(**measure_change(before, after, self.strength), **details)
