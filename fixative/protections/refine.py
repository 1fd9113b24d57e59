"""Refine a mixture's perturbation with a few steps of descent, at the picture's own size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY, LatentGradient
from fixative.errors import MixtureError, SettingError
from fixative.images import LEVELS, check_images, resize
from fixative.metrics import pull
from fixative.protections.base import Proposal, Protection, enforce_budget, measure_change
from fixative.protections.descent import Iterate, descend, falling_sizes
from fixative.steps import PictureReport, TargetPerturbation

#: Called with the picture's number, the step (0 is the start) and its pull.
OnStep = Callable[[int, int, float], None]
MOST_STEPS = 1000


@dataclass(frozen=True)
class RefineSettings:
    """What a person chooses.

    Attributes:
        steps: number of steps, 1 to 1000.
        step_size: of the first step, in 1/255, above 0; it falls to a tenth.
    """

    steps: int = 10
    step_size: float = 2.0


@dataclass(frozen=True)
class Refined:
    """The outcome for a batch.

    Attributes:
        perturbation: finished: of the pictures' size, with map and mask in it.
        pulls: of each picture at each step, from the start (0) to the last step; those of the
            pictures as they would be saved, in 8 bits.
        ways: how each picture's gradient was computed.
        steps_down: what changed on the way because memory ran out.
    """

    perturbation: TargetPerturbation
    pulls: list[list[float]]
    ways: list[str]
    steps_down: list[str]


class Refinement(Protection):
    """Signed steps against ‖E(x + δ) − z_y‖² that start from the mixture's perturbation.

    Where the map is softer than 1 the bound is, too, so what the map hides stays hidden. The best
    iterate is kept: the result is never worse than the start. Pictures go one by one.

    Args:
        codec: with gradients, of the perturbation's latent family.
        perturbation: one a picture, not finished.
        factors: (B, 1, h, w) on the perturbation, or None for 1 everywhere.
        mask: (B or 1, 1, H, W) in [0, 1]: it bounds the steps, so give it here, not to
            ``protect`` alone.
        settings: how many steps of what size.
        out_of_memory: exceptions that mean it.
        on_step: told of each step; may raise to stop.

    Raises:
        MixtureError: the codec is of another latent family.
        SettingError: a finished perturbation, or a setting outside its range.
    """

    name = "refined"

    def __init__(
        self,
        codec: Codec,
        perturbation: TargetPerturbation,
        *,
        factors: Tensor | None = None,
        mask: Tensor | None = None,
        settings: RefineSettings | None = None,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        on_step: OnStep | None = None,
    ) -> None:
        super().__init__(strength=perturbation.strength)
        _require_family(codec, perturbation)
        if perturbation.finished:
            raise SettingError(
                "perturbation: it is refined already; give the one that Target Perturbation "
                "makes, and more steps"
            )
        self._codec, self._start, self._settings = codec, perturbation, _checked(settings)
        self._factors, self._mask = factors, mask
        self._out_of_memory, self._on_step = out_of_memory, on_step

    def refine(self, images: Tensor) -> Refined:
        """Refine each picture's perturbation.

        Args:
            images: (B, 3, H, W) in [0, 1], the pictures that the perturbation is for.

        Raises:
            ImageError: images are not of that form.
            SettingError: another number of pictures, maps or masks than perturbations.
        """
        check_images(images)
        self._require_counts(images)
        gradient = LatentGradient(self._codec, out_of_memory=self._out_of_memory)
        changes: list[Tensor] = []
        pulls: list[list[float]] = []
        ways: list[str] = []
        for number in range(len(images)):
            change, curve = self._refine_one(number, images[number : number + 1], gradient)
            changes.append(change)
            pulls.append(curve)
            ways.append(gradient.way)
        finished = replace(self._start, perturbation=torch.cat(changes), finished=True)
        return Refined(finished, pulls, ways, list(gradient.steps_down))

    def _refine_one(
        self, number: int, image: Tensor, gradient: LatentGradient
    ) -> tuple[Tensor, list[float]]:
        """The best change (1, 3, H, W) and the pull at each step."""
        before = gradient.encode(image)
        target = resize(
            self._start.target_latents[number : number + 1].to(before), *before.shape[-2:]
        )

        def slope(change: Tensor) -> tuple[Tensor, Tensor]:
            # Straight through the rounding: the pull is that of the picture that gets saved.
            return gradient(enforce_budget(image, change, self.epsilon), target)

        start, bound = self._start_and_bound(number, image)
        curve: list[float] = []
        best = start
        for iterate in descend(image, start, slope, bound=bound, sizes=self._sizes()):
            latents = self._latents_of(iterate, image, gradient)
            reached = pull(latents, before, target).item()
            if curve and reached > max(curve):
                best = iterate.change
            curve.append(reached)
            if self._on_step is not None:
                self._on_step(number, len(curve) - 1, reached)
        return best, curve

    def _latents_of(self, iterate: Iterate, image: Tensor, gradient: LatentGradient) -> Tensor:
        if iterate.latents is not None:
            return iterate.latents
        return gradient.encode(enforce_budget(image, iterate.change, self.epsilon))

    def _start_and_bound(self, number: int, image: Tensor) -> tuple[Tensor, Tensor]:
        height, width = image.shape[-2:]
        given = self._start.perturbation[number : number + 1].to(image)
        bound = torch.full_like(image[:, :1], self.epsilon)
        start = resize(given, height, width)
        if self._factors is not None:
            factors = resize(self._factors[number : number + 1].to(image), height, width)
            start, bound = start * factors, bound * factors.clamp(0, 1)
        if self._mask is not None:
            mask = self._mask[number if len(self._mask) > 1 else 0].to(image)
            start, bound = start * mask, bound * mask
        return start.clamp(-bound, bound), bound

    def _sizes(self) -> list[float]:
        if self.epsilon * LEVELS < 1:  # no change survives the rounding: nothing to look for
            return []
        return falling_sizes(self._settings.step_size / LEVELS, self._settings.steps)

    def _require_counts(self, images: Tensor) -> None:
        count, size = len(images), images.shape[-2:]
        if len(self._start.perturbation) != count:
            raise SettingError(
                f"perturbation: made for {len(self._start.perturbation)} picture(s), but {count} "
                "came; assign and refine the same pictures"
            )
        if self._factors is not None and len(self._factors) != count:
            raise SettingError(f"map: expected one for each of {count}, got {len(self._factors)}")
        mask = self._mask
        if mask is not None and (len(mask) not in (1, count) or mask.shape[1:] != (1, *size)):
            raise SettingError(
                f"mask: expected shape ({count} or 1, 1, {size[0]}, {size[1]}), "
                f"got {tuple(mask.shape)}"
            )

    def _propose(self, images: Tensor) -> Proposal:
        refined = self.refine(images).perturbation
        return Proposal(refined.perturbation, None, refined.assigned.details())

    def _report(self, before: Tensor, after: Tensor, details: dict[str, Any]) -> PictureReport:
        return PictureReport(**measure_change(before, after, self.strength), **details)


def _require_family(codec: Codec, perturbation: TargetPerturbation) -> None:
    wanted, channels = perturbation.assigned.family, perturbation.target_latents.shape[1]
    if codec.family != wanted or codec.latent_channels != channels:
        raise MixtureError(
            f"vae: it is of the latent family {codec.family!r}, but the perturbation was made for "
            f"{wanted!r}; refine with the VAE that the pictures were assigned with"
        )


def _checked(settings: RefineSettings | None) -> RefineSettings:
    settings = settings or RefineSettings()
    if not 1 <= settings.steps <= MOST_STEPS:
        raise SettingError(f"steps: expected 1 to {MOST_STEPS}, got {settings.steps}")
    if not settings.step_size > 0:
        raise SettingError(f"step_size: expected above 0 (in 1/255), got {settings.step_size}")
    return settings
