"""The averaging attack: subtract the perturbations that a tool adds to everybody's pictures.

A protection that is learnt once shares its perturbations among all pictures. Whoever has a few
pictures before and after (their own, protected with the same tool) gets them as the mean of the
differences, and takes them off any other picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from fixative.countermeasures.base import Countermeasure, Need, Outcome, StepCallback
from fixative.errors import WeightsError
from fixative.images import resize
from fixative.pictures.atomic import atomic_file
from fixative.registry import Parameter
from fixative.weights import load_tensors, read_metadata

FORMAT = "fixative-shared-perturbations-1"
SIDE = 512
#: Stored as int8 steps of (largest change)/127.
STEPS = 127
#: Sides of the squares for the high-pass and for the local variance, in pixels.
FINE, COARSE = 5, 17
_LEVEL = 1 / 255


@dataclass(frozen=True)
class SharedPerturbations:
    """What pictures of one tool have in common.

    Attributes:
        steps: (N, 3, 512, 512) int8; N may be 0: the tool shares nothing.
        step: (N,) float32, the value of one of them on [0, 1].
        pairs: (N,) int64, how many pairs each was averaged from.
        recipe: how they were found, JSON types only.
    """

    steps: Tensor
    step: Tensor
    pairs: Tensor
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])

    def __len__(self) -> int:
        return len(self.steps)

    def perturbation(self, number: int, height: int, width: int) -> Tensor:
        """Number ``number`` at a picture's size, (1, 3, height, width) on [0, 1]."""
        return resize(self.steps[number : number + 1].float() * self.step[number], height, width)

    def save(self, path: Path, *, overwrite: bool = True) -> None:
        """Write one safetensors file, whole or not at all."""
        tensors = {"steps": self.steps, "step": self.step, "pairs": self.pairs}
        described = json.dumps({"format": FORMAT, "recipe": self.recipe})
        with atomic_file(path, overwrite=overwrite) as partial:
            contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
            partial.write_bytes(save(contiguous, {"fixative": described}))


def quantised(
    perturbations: Tensor, pairs: Tensor, recipe: dict[str, Any] | None = None
) -> SharedPerturbations:
    """Of (N, 3, 512, 512) floats on [0, 1], rounded to what is stored."""
    step = perturbations.abs().amax((1, 2, 3)).clamp_min(1e-6) / STEPS
    steps = (perturbations / step[:, None, None, None]).round().to(torch.int8)
    return SharedPerturbations(steps, step, pairs, recipe or {})


def load_shared(path: Path) -> SharedPerturbations:
    """Read a file of ``SharedPerturbations.save``, strictly.

    Raises:
        WeightsError: not such a file, or a damaged one.
    """
    tensors = load_tensors(path)
    described: dict[str, Any] = json.loads(read_metadata(path).get("fixative", "{}"))
    count = len(tensors["steps"]) if "steps" in tensors else 0
    wanted = {
        "steps": ((count, 3, SIDE, SIDE), torch.int8),
        "step": ((count,), torch.float32),
        "pairs": ((count,), torch.int64),
    }
    found = {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in tensors.items()}
    if described.get("format") != FORMAT or found != wanted:
        raise WeightsError(
            f"shared perturbations: {path.name} is not a file of them (format "
            f"{described.get('format')!r}, expected {FORMAT!r}, holding {', '.join(found)}); make "
            "one with fixative train averaging"
        )
    return SharedPerturbations(**tensors, recipe=described["recipe"])


@dataclass(frozen=True)
class Fit:
    """How a perturbation fits a picture.

    Attributes:
        number: of the perturbation.
        amplitude: least squares, relative to how it was learnt: about 1 at the same strength.
        certainty: amplitude over its standard error.
    """

    number: int
    amplitude: float
    certainty: float


class Averaging(Countermeasure):
    """Find the shared perturbation that is in a picture, and how strong, and subtract it.

    Both are decided on a copy of 512 pixels a side at most, after a high-pass, by least squares
    weighted by how smooth the picture is at each place. Whole pictures only: one that was cropped
    after it was protected has its perturbation elsewhere.

    Args:
        shared: what the tool shares.
        certainty: a perturbation is subtracted if it is that many standard errors strong.
        seed: unused, since nothing is random.
    """

    name = "average"
    needs = Need.PAIRS
    resources = ("shared",)
    parameters = (
        Parameter("certainty", 8.0, 0.0, 1000.0, "standard errors that a find must have"),
    )

    def __init__(
        self, shared: SharedPerturbations, *, certainty: float = 8.0, seed: int = 0
    ) -> None:
        super().__init__(seed=seed)
        self.certainty, self._shared = certainty, shared

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        best = best_fit(image, self._shared)
        if best is None or best.certainty < self.certainty:
            return image, {"perturbation": None}
        found = self._shared.perturbation(best.number, *image.shape[-2:]).to(image)
        facts = {
            "perturbation": best.number,
            "amplitude": best.amplitude,
            "certainty": best.certainty,
        }
        return image - best.amplitude * found, facts


def best_fit(image: Tensor, shared: SharedPerturbations) -> Fit | None:
    """The most certain fit to (1, 3, H, W); None where nothing is shared."""
    height, width = image.shape[-2:]
    seen = high_pass(_copy(image))
    weight = 1 / (_box(seen.square().mean(1, keepdim=True), COARSE) + _LEVEL**2)
    fits: list[Fit] = []
    for number in range(len(shared)):
        # By way of the picture's size, as the perturbation in the picture went.
        pattern = _copy(shared.perturbation(number, height, width).to(seen))
        fits.append(_fit(number, seen, high_pass(pattern), weight))
    return max(fits, key=lambda fit: fit.certainty, default=None)


def _copy(images: Tensor) -> Tensor:
    return resize(images, *(min(side, SIDE) for side in images.shape[-2:]))


def high_pass(images: Tensor) -> Tensor:
    """What differs from the mean of the 5 × 5 square around it."""
    return images - _box(images, FINE)


def _fit(number: int, seen: Tensor, pattern: Tensor, weight: Tensor) -> Fit:
    """Weighted least squares; the standard error allows for unequal variances (White 1980)."""
    weighted = (weight * pattern).double()
    power = (weighted * pattern).sum().clamp_min(1e-12)
    amplitude = (weighted * seen).sum() / power
    rest = weighted * (seen - amplitude * pattern)
    error = rest.square().sum().sqrt() / power
    return Fit(number, amplitude.item(), (amplitude / error.clamp_min(1e-12)).item())


def _box(images: Tensor, side: int) -> Tensor:
    """The mean of the square around each place, within the picture."""
    return F.avg_pool2d(images, side, 1, side // 2, count_include_pad=False)
