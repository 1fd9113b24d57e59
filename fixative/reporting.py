"""What a protection did to pictures, measured beside controls of the same size in the same run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import ImageError, SettingError
from fixative.images import LEVELS, check_images
from fixative.metrics import pull, shift
from fixative.mixture import Mixture, require_family
from fixative.perceptual import VisibilityMap
from fixative.protections.base import MAX_STRENGTH, Protection, measure_change
from fixative.protections.noise import RandomNoise
from fixative.protections.photoguard import PhotoGuard
from fixative.steps import working_copies
from fixative.target import AUTO, choose_target

PROTECTED, NOISE, PGD = "protected", "noise", "pgd"
#: The versions as people read them.
LABELS = {PROTECTED: "protected", NOISE: "random noise", PGD: "PGD"}
#: Called after each step of a control that takes many; may raise to stop.
OnStep = Callable[[], None]


@dataclass(frozen=True)
class Figures:
    """One version of one picture against its original.

    Attributes:
        pull: 1 = the target reached, 0 = no effect.
        shift: how far the latents moved, relative to their spread.
        max_change: largest change of a channel, in 1/255.
        mean_change: mean absolute change, in 1/255.
        psnr: in dB; None if nothing changed.
        visibility: mean of the visibility map; 0 = nothing is seen.
    """

    pull: float
    shift: float
    max_change: float
    mean_change: float
    psnr: float | None
    visibility: float


@dataclass(frozen=True)
class PictureFigures:
    """One picture: its protected version, and the controls.

    Attributes:
        target: name of the target that the pulls are towards.
        control_strength: the budget of the controls, in 1/255: the protection's largest change.
        versions: by ``protected``, ``noise`` and, where asked for, ``pgd``.
        change: (65,) share of the colour values that the protection moved by −32 … 32 levels.
    """

    target: str
    control_strength: float
    versions: dict[str, Figures]
    change: list[float]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, without the histogram."""
        versions = {name: asdict(figures) for name, figures in self.versions.items()}
        return {"target": self.target, "control_strength": self.control_strength, **versions}


@dataclass(frozen=True)
class ReportSettings:
    """What a person chooses.

    Attributes:
        target: ``auto`` (the one that each picture aims at) or a target's name.
        pgd_steps: steps of the PGD control, 0 leaves it out.
        seed: of the random noise.
    """

    target: str = AUTO
    pgd_steps: int = 0
    seed: int = 0


class Reporter:
    """Measures pictures on the 512 × 512 copies that the protection decides on.

    Args:
        codec: encodes the copies; its family must be the mixture's.
        mixture: whose targets the pulls are towards.
        visibility: LPIPS's map, or its stand-in.
        settings: target, and controls.
        gradients: a codec with gradients of the same latents, for PGD.

    Raises:
        MixtureError: the mixture is of another latent family.
        SettingError: a setting outside its range, or PGD without gradients.
    """

    def __init__(
        self,
        codec: Codec,
        mixture: Mixture,
        visibility: VisibilityMap,
        settings: ReportSettings | None = None,
        *,
        gradients: Codec | None = None,
    ) -> None:
        require_family(mixture, codec.family, codec.latent_channels)
        settings = settings or ReportSettings()
        if settings.pgd_steps < 0 or (settings.pgd_steps and gradients is None):
            raise SettingError("pgd_steps: expected 0, or more and a codec with gradients")
        self._codec, self._mixture, self._visibility = codec, mixture, visibility
        self._settings, self._gradients = settings, gradients

    def measure(
        self, original: Tensor, protected: Tensor, *, on_step: OnStep | None = None
    ) -> PictureFigures:
        """Measure one picture.

        Args:
            original: (1, 3, H, W) in [0, 1].
            protected: the same size.
            on_step: called after each step of the PGD.

        Raises:
            ImageError: they are not of that form.
        """
        check_pairs(original, protected)
        copy, latents = self._encoded(original)
        name, target = self._target(latents)
        largest = (protected - original).abs().max().item() * LEVELS
        strength = min(largest, MAX_STRENGTH)
        noise = RandomNoise(strength=strength, seed=self._settings.seed).protect(original).image
        against = _Against(original, copy, latents, target)
        versions = {
            PROTECTED: self._figures(against, protected),
            NOISE: self._figures(against, noise),
        }
        if self._settings.pgd_steps:
            attacked = self._pgd(copy, target, strength, on_step).protect(copy).image
            # On the copy, which is what it attacks and what is measured.
            versions[PGD] = self._figures(_Against(copy, copy, latents, target), attacked)
        return PictureFigures(name, strength, versions, _change_shares(original, protected))

    @torch.no_grad()
    def _encoded(self, images: Tensor) -> tuple[Tensor, Tensor]:
        copy = working_copies(images)
        return copy, self._codec.encode(copy)

    def _target(self, latents: Tensor) -> tuple[str, Tensor]:
        names = self._mixture.target_names
        choice = choose_target(
            latents, self._mixture.target_entropies, names, target=self._settings.target
        )
        index = int(choice.index[0])
        return names[index], self._mixture.target_latents[index : index + 1].to(latents)

    def _pgd(
        self, copy: Tensor, target: Tensor, strength: float, on_step: OnStep | None
    ) -> Protection:
        assert self._gradients is not None  # checked when made
        steps = self._settings.pgd_steps
        tell = None if on_step is None else lambda _: on_step()
        return PhotoGuard(self._gradients, target, strength=strength, steps=steps, on_step=tell)

    @torch.no_grad()
    def _figures(self, against: _Against, images: Tensor) -> Figures:
        copy, latents = self._encoded(images)
        change = measure_change(against.images, images, 0)
        return Figures(
            pull=pull(latents, against.latents, against.target).item(),
            shift=shift(latents, against.latents).item(),
            max_change=change["max_change"],
            mean_change=change["mean_change"],
            psnr=change["psnr"],
            visibility=self._visibility(against.copy, copy).mean().item(),
        )


@dataclass(frozen=True)
class _Against:
    """The original: as it is, its 512 copy, the copy's latents, and the target's."""

    images: Tensor
    copy: Tensor
    latents: Tensor
    target: Tensor


def check_pairs(original: Tensor, protected: Tensor) -> None:
    """Refuse pictures that are not each other's versions.

    Raises:
        ImageError: not (B, 3, H, W) in [0, 1], or of different numbers or sizes.
    """
    check_images(original, name="original")
    check_images(protected, name="protected")
    if original.shape != protected.shape:
        raise ImageError(
            f"protected: expected {_described(original)} like original, got "
            f"{_described(protected)}; connect the pictures from before and after protecting"
        )


def mean_figures(pictures: Sequence[PictureFigures], version: str) -> Figures:
    """Means over the pictures of one version; the PSNR over those that changed."""
    rows = [picture.versions[version] for picture in pictures]
    changed = [row.psnr for row in rows if row.psnr is not None]
    return Figures(
        pull=fmean(row.pull for row in rows),
        shift=fmean(row.shift for row in rows),
        max_change=fmean(row.max_change for row in rows),
        mean_change=fmean(row.mean_change for row in rows),
        psnr=fmean(changed) if changed else None,
        visibility=fmean(row.visibility for row in rows),
    )


def mixture_digest(mixture: Mixture) -> str:
    """sha256 of a mixture's numbers: the same mixture under any file name has the same."""
    digest = hashlib.sha256(f"{mixture.family} {mixture.eta!r} {mixture.target_names}".encode())
    for tensor in (mixture.shared, mixture.group, mixture.centroids, mixture.target_latents):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _described(images: Tensor) -> str:
    count, _, height, width = images.shape
    return f"{count} picture(s) of {width} x {height}"


def _change_shares(original: Tensor, protected: Tensor) -> list[float]:
    most = int(MAX_STRENGTH)
    levels = ((protected - original) * LEVELS).round().clamp(-most, most).long().flatten()
    counts = torch.bincount(levels + most, minlength=2 * most + 1)
    return (counts.double() / counts.sum()).tolist()
