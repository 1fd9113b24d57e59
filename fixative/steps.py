"""FastProtect's steps one by one: assign, aim, scale, add. Protector composes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.images import LEVELS, check_images, resize
from fixative.mixture import SIDE, Mixture, require_family
from fixative.perceptual import VisibilityMap
from fixative.protections.base import (
    MAX_STRENGTH,
    ChangeReport,
    Proposal,
    Protection,
    measure_change,
)
from fixative.strength import adaptive_strength
from fixative.target import AUTO, choose_target

PictureCallback = Callable[[int], None]


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


@dataclass(frozen=True)
class AssignedPictures:
    """Which perturbation fits each of B pictures, and which target it aims at.

    Attributes:
        group: (B,) index of the nearest centroid.
        distances: (B, K) root mean square latent distance to each centroid.
        target: (B,) index of the target.
        entropies: (B,) H(E(x)) in bits.
        target_names: T names.
        target_entropies: (T,) H(z_y) in bits.
        codec: name of the codec that saw the pictures.
        family: its latent family.
        mixture: name of the mixture.
    """

    group: Tensor
    distances: Tensor
    target: Tensor
    entropies: Tensor
    target_names: tuple[str, ...]
    target_entropies: Tensor
    codec: str
    family: str
    mixture: str

    def details(self) -> list[dict[str, Any]]:
        """Each picture's facts, as PictureReport names them; JSON types only."""
        entropies = self.target_entropies.tolist()
        return [
            {
                "group": int(self.group[i]),
                "group_distances": self.distances[i].tolist(),
                "target": self.target_names[int(self.target[i])],
                "entropy": float(self.entropies[i]),
                "target_entropies": dict(zip(self.target_names, entropies, strict=True)),
                "codec": self.codec,
                "family": self.family,
                "mixture": self.mixture,
            }
            for i in range(len(self.group))
        ]


@dataclass(frozen=True)
class TargetPerturbation:
    """The perturbation of each of B pictures, before map and mask unless ``finished``.

    Attributes:
        perturbation: (B, 3, h, w) on [0, 1], at the strength; h = w = 512 unless ``finished``.
        strength: the budget in 1/255.
        assigned: what it was picked for.
        target_latents: (B, C, 64, 64), z_y that each picture is pulled to.
        finished: map and mask are in it already, at the pictures' own size.
    """

    perturbation: Tensor
    strength: float
    assigned: AssignedPictures
    target_latents: Tensor
    finished: bool = False


def working_copies(images: Tensor) -> Tensor:
    """The 512 × 512 copies that everything is decided on, (B, 3, 512, 512); copies of copies
    are equal to them. One by one, so that a batch equals its singles.
    """
    return torch.cat([resize(image[None].float(), SIDE, SIDE).clamp(0, 1) for image in images])


@torch.no_grad()
def assign_pictures(
    images: Tensor,
    codec: Codec,
    mixture: Mixture,
    *,
    target: str = AUTO,
    together: int = 1,
    on_picture: PictureCallback | None = None,
) -> AssignedPictures:
    """Encode each picture once; find its group and its target.

    Args:
        images: (B, 3, H, W) in [0, 1].
        codec: encodes the 512 copies; its family must be the mixture's.
        mixture: the learnt perturbations.
        target: ``auto`` (by entropy) or a target's name.
        together: copies that the codec gets at a time. One by one a batch equals its singles
            bit for bit; together, a picture whose group or target is a near tie may differ.
        on_picture: called with the number of pictures encoded; may raise, to stop.

    Raises:
        ImageError: images are not of that form.
        MixtureError: the mixture is of another latent family.
        SettingError: no such target.
    """
    check_images(images)
    require_family(mixture, codec.family, codec.latent_channels)
    pieces: list[Tensor] = []
    encoded = 0
    for copies in working_copies(images).split(together):
        pieces.append(codec.encode(copies))
        encoded += len(copies)
        if on_picture is not None:
            on_picture(encoded)
    latents = torch.cat(pieces)
    nearest = assign(latents, mixture.centroids)
    choice = choose_target(latents, mixture.target_entropies, mixture.target_names, target=target)
    return AssignedPictures(
        nearest.group,
        nearest.distances,
        choice.index,
        choice.entropies,
        mixture.target_names,
        mixture.target_entropies,
        codec.name,
        codec.family,
        mixture.name,
    )


def target_perturbation(
    mixture: Mixture, assigned: AssignedPictures, *, strength: float = 8.0
) -> TargetPerturbation:
    """δg + Δk of each picture's target and group, scaled from η to the strength.

    Args:
        mixture: the one that the pictures were assigned with.
        assigned: from ``assign_pictures``.
        strength: budget in 1/255, 0 to 32.

    Raises:
        SettingError: strength outside its range, or an assignment of another mixture.
    """
    if not 0 <= strength <= MAX_STRENGTH:
        raise SettingError(f"strength: expected 0 to {MAX_STRENGTH:g} (in 1/255), got {strength}")
    _require_same_mixture(mixture, assigned)
    perturbation = mixture.combined(assigned.target, assigned.group)
    perturbation = perturbation.mul_(strength / LEVELS / mixture.eta)
    targets = mixture.target_latents[assigned.target.cpu()]
    return TargetPerturbation(perturbation, float(strength), assigned, targets)


@torch.no_grad()
def strength_factors(
    images: Tensor,
    perturbation: TargetPerturbation,
    visibility: VisibilityMap,
    *,
    on_picture: PictureCallback | None = None,
) -> Tensor:
    """S(1 − M) of the first pass, on the 512 copies (FastProtect, adaptive strength).

    Args:
        images: (B, 3, H, W) in [0, 1], the pictures that the perturbation is for.
        perturbation: from ``target_perturbation``.
        visibility: LPIPS's spatial map, or its stand-in.
        on_picture: called with the number of pictures done; may raise, to stop.

    Returns:
        (B, 1, 512, 512) factors on the perturbation, 0.91 or 1.183.

    Raises:
        ImageError: another number of pictures than perturbations.
        SettingError: the perturbation is finished: a map is in it already.
    """
    require_unfinished(perturbation, "a strength map")
    _require_same_count(images, perturbation)
    copies = working_copies(images)
    if perturbation.strength == 0:
        return torch.ones_like(copies[:, :1])
    first_pass = (copies + perturbation.perturbation.to(copies)).clamp_(0, 1)
    pieces: list[Tensor] = []
    for before, after in zip(copies.split(1), first_pass.split(1), strict=True):
        pieces.append(adaptive_strength(visibility(before, after)))
        if on_picture is not None:
            on_picture(len(pieces))
    return torch.cat(pieces)


class PerturbationApplied(Protection):
    """The last step: add a perturbation that was picked before, within budget and range.

    Args:
        perturbation: one a picture.
        factors: (B, 1, h, w) on the perturbation, or None for 1 everywhere.

    Raises:
        SettingError: factors on a finished perturbation, which has them in it.
    """

    name = "mixture"

    def __init__(self, perturbation: TargetPerturbation, factors: Tensor | None = None) -> None:
        super().__init__(strength=perturbation.strength)
        if factors is not None:
            require_unfinished(perturbation, "a strength map")
        self._perturbation, self._factors = perturbation, factors

    def _propose(self, images: Tensor) -> Proposal:
        _require_same_count(images, self._perturbation)
        details = self._perturbation.assigned.details()
        return Proposal(self._perturbation.perturbation, self._factors, details)

    def _report(self, before: Tensor, after: Tensor, details: dict[str, Any]) -> PictureReport:
        return PictureReport(**measure_change(before, after, self.strength), **details)


def require_unfinished(perturbation: TargetPerturbation, what: str) -> None:
    """Refuse to put ``what`` into a perturbation that has it already.

    Raises:
        SettingError: the perturbation is finished.
    """
    if perturbation.finished:
        raise SettingError(
            f"perturbation: {what} is in it already, because it was refined; apply it without"
        )


def _require_same_mixture(mixture: Mixture, assigned: AssignedPictures) -> None:
    same = assigned.family == mixture.family and assigned.mixture == mixture.name
    if not same or assigned.distances.shape[1] != mixture.groups:
        raise SettingError(
            f"assignment: made with mixture {assigned.mixture} (family {assigned.family!r}), but "
            f"the mixture given is {mixture.name} ({mixture.family!r}); use the same one for both"
        )


def _require_same_count(images: Tensor, perturbation: TargetPerturbation) -> None:
    count = len(perturbation.perturbation)
    if len(images) != count:
        raise SettingError(
            f"perturbation: made for {count} picture(s), but {len(images)} came; assign and apply "
            "to the same pictures"
        )
