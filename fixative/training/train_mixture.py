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

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.mixture import SIDE, Mixture, quantise
from fixative.training.crops import step_generator
from fixative.training.distributed import ALONE, Team
from fixative.training.loop import Losses, cosine_rate
from fixative.training.mixture_crops import GRID, draw_crops
from fixative.training.mixture_recipe import MixtureRecipe, OtherTrainingError
from fixative.training.mixture_set import Crop, MixtureSet
from fixative.training.perturbations import begun_from, descend, filled, fold, relative_error

__all__ = ["GRID", "MixtureRecipe", "MixtureTraining"]


class MixtureTraining:
    """Recipe for ``run_training``.

    Args:
        codecs: encoders that take turns, all of one latent space.
        data: training pictures with groups and targets.
        targets: (T, 3, 512, 512) target pictures.
        periods: the period of each target in pixels.
        recipe: settings.
        start: a mixture of the same targets to begin with; None begins with zeros.
        made_of: what else a checkpoint must agree with, JSON types only.
        team: the processes that share the crops of every step.

    Attributes:
        shared: (T, 3, 512, 512), the global perturbations so far, on [0, 1].
        group: (T, K, 3, 512, 512), the group perturbations so far.
        losses: the terms of the loss by name, a value a step, since the very first one.
    """

    def __init__(
        self,
        codecs: Sequence[Codec],
        data: MixtureSet,
        targets: Tensor,
        periods: list[int],
        recipe: MixtureRecipe,
        *,
        start: Mixture | None = None,
        made_of: Mapping[str, Any] | None = None,
        team: Team = ALONE,
    ) -> None:
        team.require(recipe.batch, "batch", "raise batch")
        self._team = team
        self._codecs, self._data, self._targets = codecs, data, targets
        self._periods, self.recipe, self._made_of = periods, recipe, dict(made_of or {})
        count, groups = len(targets), len(data.centroids)
        self.shared = torch.zeros(count, 3, SIDE, SIDE)
        self.group = torch.zeros(count, groups, 3, SIDE, SIDE)
        if start is not None:
            self.shared, self.group = begun_from(start, recipe.eta / 255, data.centroids)
        self.losses: dict[str, list[float]] = {}
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
        crops = draw_crops(self.recipe, self._data, len(self._targets), generator)
        errors, gradient = self._learnt(step % len(self._codecs), crops)
        rate = cosine_rate(self.recipe.peak_rate, progress)
        self._update(crops, gradient, rate, periodic=progress < self.recipe.periodic_share)
        losses = {name: error.mean().item() for name, error in errors.items()}
        for name, loss in losses.items():
            self.losses.setdefault(name, []).append(loss)
        return losses

    def _learnt(self, number: int, crops: list[Crop]) -> tuple[dict[str, Tensor], Tensor]:
        """Errors (B,) and gradients (B, 3, h, w) of all crops; this process works on its own."""
        mine = self._team.mine(crops)
        pictures = torch.stack([self._picture(crop) for crop in mine])
        change = torch.stack([self._perturbation(crop) for crop in mine]).requires_grad_(True)
        with self._team.autocast():
            errors = self._errors(number, (pictures + change).clamp(0, 1), mine)
        loss = errors["latent"]
        if "features" in errors:
            loss = loss + self.recipe.feature_weight * errors["features"]
        (gradient,) = torch.autograd.grad(loss.sum(), change)
        together = {
            name: self._team.gathered(error.detach(), len(crops)) for name, error in errors.items()
        }
        return together, self._team.gathered(gradient, len(crops))

    def mixture(
        self,
        family: str,
        names: tuple[str, ...],
        recipe: dict[str, Any],
        *,
        probe: Tensor | None = None,
    ) -> Mixture:
        """The result so far, quantised; ``probe`` as in ``Mixture``."""
        eta = self.recipe.eta / 255
        data = self._data
        return Mixture(
            family,
            eta,
            names,
            quantise(self.shared, eta),
            quantise(filled(self.group), eta),
            data.centroids,
            data.target_latents,
            data.target_entropies,
            recipe,
            probe=probe,
        )

    def state(self) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "shared": self.shared,
            "group": self.group,
            "moments": self._moments,
            "losses": self.losses,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        if state["settings"] != self._settings():
            raise OtherTrainingError
        self.shared, self.group = state["shared"], state["group"]
        self._moments, self.losses = state["moments"], state["losses"]

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint must have been made with to go on from it."""
        return {
            **asdict(self.recipe),
            "codecs": [codec.name for codec in self._codecs],
            "targets": [round(float(t.double().std()), 6) for t in self._targets],
            "pictures": len(self._data.pictures),
            **self._made_of,
        }

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
        latents, features = self._seen(number, images)
        goals = [self._goal(number, crop) for crop in crops]
        wanted = torch.stack([goal[0] for goal in goals])
        errors = {"latent": relative_error(latents, wanted)}
        terms = [
            relative_error(maps, torch.stack([goal[1][i] for goal in goals]))
            for i, maps in enumerate(features)
        ]
        return {**errors, "features": torch.stack(terms).mean(0)} if terms else errors

    def _seen(self, number: int, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Latents, and the features where they count."""
        codec = self._codecs[number]
        if self.recipe.feature_weight == 0:
            return codec.encode(images).float(), []
        latents, features = codec.encode_with_features(images)
        return latents.float(), [maps.float() for maps in features]

    def _goal(self, number: int, crop: Crop) -> tuple[Tensor, list[Tensor]]:
        """Latents and features of the target at the crop's place."""
        key = (number, crop.target, crop.top, crop.left)
        if key not in self._goals:
            rows, columns = self._window(crop)
            place = self._targets[crop.target : crop.target + 1, :, rows, columns]
            with torch.no_grad():
                latents, features = self._seen(number, place)
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
        """One step on the part that the crops covered, or on the whole tensor by its period."""
        tensor = (self.shared if name == "shared" else self.group)[index]
        mean, square = (moment[index] for moment in self._moments[name])
        if period is not None:
            gradient, window = fold(gradient, window, period), (slice(None), slice(None))
        descend(tensor, (mean, square), gradient, window, rate=rate, bound=self.bound)
