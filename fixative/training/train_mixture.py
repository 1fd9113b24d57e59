"""Train a mixture of perturbations (FastProtect, section 3; our deviations are named below).

Deviations, all for a CPU's sake and all written into the recipe:

* Crops of picture and perturbation together instead of whole pictures.
* At first a target's perturbations are kept periodic like the target itself. The encoder is
  convolutional, so what works at one place works one period further, and every crop then teaches
  the whole tensor. Later the perturbations are free.
* The optimiser touches only what a crop covered (otherwise Adam's memory moves the rest).
* Several encoders take turns, so that the mixture does not fit one network only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.mixture import SIDE, Mixture, quantise
from fixative.training.crops import step_generator
from fixative.training.loop import Losses, cosine_rate
from fixative.training.mixture_set import MixtureSet

GRID = 64


@dataclass(frozen=True)
class MixtureRecipe:
    """Settings of a mixture training.

    Attributes:
        eta: η in 1/255; each of the two summed perturbations stays within η/2.
        batch: crops a step.
        crop: side of a crop in pixels, a multiple of 64, at most 512.
        peak_rate: learning rate on [0, 1].
        feature_weight: weight of the multi-layer term. The paper sums squares (λ = 3.5e-5); here
            each term is relative to the target's variance, so that it fits any encoder.
        periodic_share: share of the training in which perturbations are kept periodic.
        adaptive_target: route each picture by entropy; otherwise all go to ``fixed_target``.
        fixed_target: index of the target used without routing.
        grouped: learn group perturbations; otherwise one perturbation of ±η for all.
        seed: of everything.
    """

    eta: float = 8.0
    batch: int = 6
    crop: int = 128
    peak_rate: float = 1.0 / 255
    feature_weight: float = 0.1
    periodic_share: float = 0.5
    adaptive_target: bool = True
    fixed_target: int = 1
    grouped: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Crop:
    """One picture's part in a step: which picture, target and group, and where."""

    picture: int
    target: int
    group: int
    top: int
    left: int


class MixtureTraining:
    """Recipe for ``run_training``.

    Args:
        codecs: encoders that take turns, all of one latent space.
        data: training pictures with groups and targets.
        targets: (T, 3, 512, 512) target pictures.
        periods: the period of each target in pixels.
        recipe: settings.
    """

    def __init__(
        self,
        codecs: Sequence[Codec],
        data: MixtureSet,
        targets: Tensor,
        periods: list[int],
        recipe: MixtureRecipe,
    ) -> None:
        self._codecs, self._data, self._targets = codecs, data, targets
        self._periods, self.recipe = periods, recipe
        count, groups = len(targets), len(data.centroids)
        self.shared = torch.zeros(count, 3, SIDE, SIDE)
        self.group = torch.zeros(count, groups, 3, SIDE, SIDE)
        self._moments = {
            "shared": (torch.zeros_like(self.shared), torch.zeros_like(self.shared)),
            "group": (torch.zeros_like(self.group), torch.zeros_like(self.group)),
        }
        self._goals: dict[tuple[int, int, int, int], tuple[Tensor, list[Tensor]]] = {}

    @property
    def bound(self) -> float:
        """What each perturbation stays within, on [0, 1]: η/2, or η where there is only one."""
        eta = self.recipe.eta / 255
        return eta / 2 if self.recipe.grouped else eta

    def train_step(self, step: int, progress: float) -> Losses:
        generator = step_generator(self.recipe.seed, step)
        crops = self._draw(generator)
        number = step % len(self._codecs)
        pictures = torch.stack([self._picture(crop) for crop in crops])
        change = torch.stack([self._perturbation(crop) for crop in crops]).requires_grad_(True)
        errors = self._errors(number, (pictures + change).clamp(0, 1), crops)
        loss = errors["latent"] + self.recipe.feature_weight * errors["features"]
        (gradient,) = torch.autograd.grad(loss.sum(), change)
        rate = cosine_rate(self.recipe.peak_rate, progress)
        self._update(crops, gradient, rate, periodic=progress < self.recipe.periodic_share)
        return {name: error.mean().item() for name, error in errors.items()}

    def mixture(self, family: str, names: tuple[str, ...], recipe: dict[str, Any]) -> Mixture:
        """The result so far, quantised."""
        eta = self.recipe.eta / 255
        return Mixture(
            family,
            eta,
            names,
            quantise(self.shared, eta),
            quantise(filled(self.group), eta),
            self._data.centroids,
            self._data.target_latents,
            self._data.target_entropies,
            recipe,
        )

    def state(self) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "shared": self.shared,
            "group": self.group,
            "moments": self._moments,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        if state["settings"] != self._settings():
            raise SettingError(
                "checkpoint: made with other settings, codecs or targets; use the same ones, or "
                "another folder for --runs"
            )
        self.shared, self.group = state["shared"], state["group"]
        self._moments = state["moments"]

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint must have been made with to go on from it."""
        return {
            **asdict(self.recipe),
            "codecs": [codec.name for codec in self._codecs],
            "targets": [round(float(t.double().std()), 6) for t in self._targets],
            "pictures": len(self._data.pictures),
        }

    def _draw(self, generator: torch.Generator) -> list[Crop]:
        """Pictures at random, one place for all, so that their target is encoded once."""
        places = (SIDE - self.recipe.crop) // GRID + 1
        top, left = (int(i) * GRID for i in torch.randint(places, (2,), generator=generator))
        count = len(self._data.pictures)
        numbers = torch.randint(count, (self.recipe.batch,), generator=generator)
        return [
            Crop(i, self._target_of(i), int(self._data.group[i]), top, left)
            for i in map(int, numbers)
        ]

    def _target_of(self, picture: int) -> int:
        if self.recipe.adaptive_target:
            return int(self._data.target[picture])
        return self.recipe.fixed_target

    def _window(self, crop: Crop) -> tuple[slice, slice]:
        side = self.recipe.crop
        return slice(crop.top, crop.top + side), slice(crop.left, crop.left + side)

    def _picture(self, crop: Crop) -> Tensor:
        rows, columns = self._window(crop)
        return self._data.pictures[crop.picture][:, rows, columns].float() / 255

    def _perturbation(self, crop: Crop) -> Tensor:
        rows, columns = self._window(crop)
        total = self.shared[crop.target, :, rows, columns]
        return total + self.group[crop.target, crop.group, :, rows, columns]

    def _errors(self, number: int, images: Tensor, crops: list[Crop]) -> dict[str, Tensor]:
        """‖z − z_y‖² and (1/L) Σ ‖F_l − F_l,y‖² of each crop, as shares of the target's power."""
        latents, features = self._codecs[number].encode_with_features(images)
        goals = [self._goal(number, crop) for crop in crops]
        wanted = torch.stack([goal[0] for goal in goals])
        terms = [
            _relative_error(maps, torch.stack([goal[1][i] for goal in goals]))
            for i, maps in enumerate(features)
        ]
        return {
            "latent": _relative_error(latents, wanted),
            "features": torch.stack(terms).mean(0),
        }

    def _goal(self, number: int, crop: Crop) -> tuple[Tensor, list[Tensor]]:
        """Latents and features of the target at the crop's place."""
        key = (number, crop.target, crop.top, crop.left)
        if key not in self._goals:
            rows, columns = self._window(crop)
            with torch.no_grad():
                latents, features = self._codecs[number].encode_with_features(
                    self._targets[crop.target : crop.target + 1, :, rows, columns]
                )
            self._goals[key] = latents[0], [maps[0].half() for maps in features]
        latents, features = self._goals[key]
        return latents, [maps.float() for maps in features]

    def _update(self, crops: list[Crop], gradient: Tensor, rate: float, *, periodic: bool) -> None:
        for target in sorted({crop.target for crop in crops}):
            mine = [i for i, crop in enumerate(crops) if crop.target == target]
            period = self._periods[target] if periodic else None
            window = self._window(crops[0])
            self._descend("shared", (target,), gradient[mine].sum(0), window, rate, period)
            if not self.recipe.grouped:
                continue
            for group in sorted({crops[i].group for i in mine}):
                rows = [i for i in mine if crops[i].group == group]
                index = (target, group)
                self._descend("group", index, gradient[rows].sum(0), window, rate, period)

    def _descend(
        self,
        name: str,
        index: tuple[int, ...],
        gradient: Tensor,
        window: tuple[slice, slice],
        rate: float,
        period: int | None,
    ) -> None:
        """One Adam step (betas 0.5, 0.99) on the covered part, or on the whole period.

        The memory of a pixel starts with its first gradient, which replaces bias correction.
        """
        tensor = (self.shared if name == "shared" else self.group)[index]
        mean, square = (moment[index] for moment in self._moments[name])
        if period is not None:
            gradient, window = fold(gradient, window, period), (slice(None), slice(None))
        place = (slice(None), *window)
        fresh, power = square[place] == 0, gradient.square()
        mean[place] = torch.where(fresh, gradient, mean[place].lerp(gradient, 0.5))
        square[place] = torch.where(fresh, power, square[place].lerp(power, 0.01))
        step = mean[place] / (square[place].sqrt() + 1e-12)
        tensor[place] = (tensor[place] - rate * step).clamp(-self.bound, self.bound)


def fold(gradient: Tensor, window: tuple[slice, slice], period: int) -> Tensor:
    """Average a crop's gradient (3, s, s) over the target's periods and tile it to 512."""
    canvas = torch.zeros(3, SIDE, SIDE)
    canvas[:, window[0], window[1]] = gradient
    repeats = SIDE // period
    tiles = canvas.reshape(3, repeats, period, repeats, period)
    tile = tiles.sum((1, 3)) / max(1.0, gradient[0].numel() / period**2)
    return tile.repeat(1, repeats, repeats)


def filled(group: Tensor) -> Tensor:
    """Group perturbations where a group that met no training picture gets its target's mean.

    Args:
        group: (T, K, 3, H, W); all zero where nothing was learnt.
    """
    learnt = (group != 0).flatten(2).any(2).float()
    weights = learnt / learnt.sum(1, keepdim=True).clamp_min(1)
    mean = torch.einsum("tk,tkchw->tchw", weights, group)
    return torch.where(learnt[:, :, None, None, None] > 0, group, mean[:, None])


def _relative_error(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean square error of each picture as a share of the wanted map's mean square, (B,)."""
    error = (got - wanted).flatten(1).square().mean(1)
    return error / wanted.flatten(1).square().mean(1).clamp_min(1e-6)
