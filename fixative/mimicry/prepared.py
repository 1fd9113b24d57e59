"""What the imitator learns from: protected and purified windows with their latents, in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from fixative.countermeasures.base import PurifyStep
from fixative.countermeasures.registry import make_countermeasure
from fixative.evaluation.goals import STRETCHED
from fixative.images import LEVELS, on_8bit_grid, resize
from fixative.mimicry.arms import Arm
from fixative.mimicry.sets import Canvases, window
from fixative.mimicry.settings import MimicrySettings, derived_seed
from fixative.mimicry.tools import MimicryTools
from fixative.pictures.atomic import atomic_file
from fixative.protections.iterative import AttackStep
from fixative.protections.registry import make_protection
from fixative.registry import parse

#: Told of (what, step, steps); may raise, to stop.
Tell = Callable[[str, int, int], None]
_VECTOR = "vectors."


@dataclass(frozen=True)
class Prepared:
    """One arm's pictures of one set.

    Attributes:
        images: (N, 3, R, R) in [0, 1] on the 8-bit grid, R the model's resolution.
        latents: (N, C, h, w).
        vectors: (N, D) features of each space; of the clean arm only.
    """

    images: Tensor
    latents: Tensor
    vectors: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        tensors = {"images": (self.images * LEVELS).round().byte(), "latents": self.latents}
        tensors |= {_VECTOR + name: values for name, values in self.vectors.items()}
        with atomic_file(path, overwrite=True) as partial:
            partial.write_bytes(save({key: each.contiguous() for key, each in tensors.items()}))


def load_prepared(path: Path) -> Prepared:
    """Undo ``Prepared.save``."""
    tensors = load_file(path)
    return Prepared(
        tensors["images"].float() / LEVELS,
        tensors["latents"],
        {
            key.removeprefix(_VECTOR): value
            for key, value in tensors.items()
            if key.startswith(_VECTOR)
        },
    )


def protected_windows(
    arm: Arm,
    name: str,
    canvases: Canvases,
    settings: MimicrySettings,
    tools: MimicryTools,
    tell: Tell,
) -> Tensor:
    """The windows of a set after an arm's protection.

    What is decided on copies of 512 pixels (the mixture) protects the whole canvas. What works
    pixel by pixel (noise, gradient descents) is given the window alone, which is all that the
    imitator sees of it, and takes a quarter of the time.

    Args:
        arm: without a countermeasure.
        name: of the set.
        canvases: the pictures.
        settings: strength and seed.
        tools: codec, mixture, model.
        tell: told of each step.

    Returns:
        (N, 3, R, R) on the 8-bit grid.
    """
    resolution = tools.denoiser.resolution
    if arm.protection is None:
        return window(canvases.images, resolution)
    whole = parse(arm.protection, what="protection")[0].name in STRETCHED
    done: list[Tensor] = []
    for number, canvas in enumerate(canvases.images.split(1)):
        label = f"picture {number + 1}/{len(canvases.images)}"
        tell(label, 0, 1)
        method = make_protection(
            arm.protection,
            tools.for_protections(),
            strength=settings.strength,
            seed=derived_seed(settings.seed, "protect", name, number),
            on_step=_told(tell, label),
        )
        seen = canvas if whole else window(canvas, resolution)
        done.append(window(method.protect(seen).image, resolution))
    return torch.cat(done)


def purified_windows(
    arm: Arm, name: str, windows: Tensor, settings: MimicrySettings, tools: MimicryTools, tell: Tell
) -> Tensor:
    """Windows (N, 3, R, R) after an arm's countermeasure, likewise."""
    assert arm.countermeasure is not None
    done: list[Tensor] = []
    for number, image in enumerate(windows.split(1)):
        label = f"picture {number + 1}/{len(windows)}"
        tell(label, 0, 1)
        method = make_countermeasure(
            arm.countermeasure,
            tools.for_countermeasures(),
            seed=derived_seed(settings.seed, "purify", name, number),
        )
        purified = method.purify(image, on_step=_told(tell, label)).image
        done.append(on_8bit_grid(resize(purified, *image.shape[-2:]).clamp(0, 1)))
    return torch.cat(done)


@torch.no_grad()
def prepare(windows: Tensor, tools: MimicryTools, *, features: bool) -> Prepared:
    """Encode windows (N, 3, R, R), one by one; with ``features`` also look at them."""
    latents = torch.cat([tools.codec.encode(image).cpu() for image in windows.split(1)])
    vectors = tools.eyes.vectors(windows) if features else {}
    return Prepared(windows, latents, vectors)


def _told(tell: Tell, label: str) -> Callable[[AttackStep | PurifyStep], None]:
    return lambda step: tell(label, step.step, step.steps)
