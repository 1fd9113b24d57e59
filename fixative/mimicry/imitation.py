"""One imitator: a LoRA on what it was given, and pictures drawn with it, looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save
from torch import Tensor

from fixative.errors import FixativeError
from fixative.images import on_8bit_grid
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.lora import Lora, applied, train_lora
from fixative.mimicry.prepared import Prepared, Tell
from fixative.mimicry.sampling import sample
from fixative.mimicry.settings import MimicrySettings, derived_seed
from fixative.mimicry.tools import MimicryTools
from fixative.pictures.atomic import atomic_file
from fixative.pictures.picture import images_to_pixels

#: Pictures drawn at a time; another number would change the last digits.
TOGETHER = 4
NEAREST = "lpips"


@dataclass(frozen=True)
class Imitation:
    """What one imitator drew.

    Attributes:
        images: (K, 3, R, R) in [0, 1] on the 8-bit grid.
        vectors: (K, D) features of each space.
        distances: (K, N) LPIPS to each original; None without LPIPS.
        losses: of the LoRA's steps; none without a LoRA.
    """

    images: Tensor
    vectors: dict[str, Tensor]
    distances: Tensor | None
    losses: tuple[float, ...]

    def save(self, path: Path, picture: Path) -> None:
        """Write the numbers, and the pictures side by side as a PNG; each whole or not at all."""
        tensors = {key: each.contiguous() for key, each in self.vectors.items()}
        if self.distances is not None:
            tensors[NEAREST] = self.distances.contiguous()
        with atomic_file(path, overwrite=True) as partial:
            partial.write_bytes(save(tensors))
        save_strip(self.images, picture)


def load_numbers(path: Path) -> tuple[dict[str, Tensor], Tensor | None]:
    """Features by space, and LPIPS distances, of a file that ``Imitation.save`` wrote."""
    tensors = load_file(path)
    return tensors, tensors.pop(NEAREST, None)


def save_strip(images: Tensor, path: Path) -> None:
    """Pictures (K, 3, R, R) in one row, as a PNG."""
    row = torch.cat(list(images.split(1)), -1)
    with atomic_file(path, overwrite=True) as partial:
        Image.fromarray(images_to_pixels(row)).save(partial, "PNG")


def imitate(
    arm: Arm,
    name: str,
    number: int,
    given: Prepared,
    originals: Tensor,
    settings: MimicrySettings,
    tools: MimicryTools,
    tell: Tell,
) -> Imitation:
    """Train a LoRA as an arm says, draw with it, and look at what it drew.

    Args:
        arm: what the imitator sees.
        name: of the set.
        number: of the repetition: weights, batches and noise of all arms depend on it alike.
        given: the arm's pictures.
        originals: (N, 3, R, R), the clean ones.
        settings: of LoRA and samples.
        tools: model and codec.
        tell: told of each step.
    """
    lora = _trained(arm, name, number, given, settings, tools, tell)
    images = draw(lora, name, number, settings, tools, tell)
    nearness = tools.eyes.nearness
    distances = None if nearness is None else nearness(images, originals)
    losses = () if lora is None else lora.losses
    return Imitation(images, tools.eyes.vectors(images), distances, losses)


def draw(
    lora: Lora | None,
    name: str,
    number: int,
    settings: MimicrySettings,
    tools: MimicryTools,
    tell: Tell,
) -> Tensor:
    """Pictures (K, 3, R, R) of the set's prompts, from noise that depends on set and number."""
    denoiser, codec = tools.denoiser, tools.codec
    prompts = settings.prompts or (settings.caption_of(name, tools.caption),)
    wanted = [prompts[each % len(prompts)] for each in range(settings.samples)]
    side = denoiser.resolution // codec.downscale
    seed = derived_seed(settings.seed, "draw", name, number)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(
        (settings.samples, denoiser.latent_channels, side, side), generator=generator
    )
    done: list[Tensor] = []
    with applied(denoiser, lora), torch.no_grad():
        for first in range(0, settings.samples, TOGETHER):
            some = wanted[first : first + TOGETHER]
            latents = sample(
                denoiser,
                noise[first : first + TOGETHER].to(denoiser.device),
                denoiser.condition(some),
                denoiser.condition([""] * len(some)),
                settings.draw,
                on_step=lambda step, steps, _: tell("drawing", step, steps),
            )
            done += [codec.decode(each).cpu() for each in latents.split(1)]
    images = on_8bit_grid(torch.cat(done))
    if not torch.isfinite(images).all():
        raise FixativeError(f"{denoiser.name} drew no numbers; lower the rate or the guidance")
    return images


def _trained(
    arm: Arm,
    name: str,
    number: int,
    given: Prepared,
    settings: MimicrySettings,
    tools: MimicryTools,
    tell: Tell,
) -> Lora | None:
    if arm.role is Role.NONE:
        return None
    other = ("control",) if arm.role is Role.CONTROL else ()
    seed = derived_seed(settings.seed, "train", name, number, *other)
    captions = [settings.caption_of(name, tools.caption)] * len(given.latents)
    lora = train_lora(
        tools.denoiser,
        given.latents,
        captions,
        replace(settings.lora, seed=seed),
        on_step=lambda step, steps, loss: tell(f"loss {loss:.3f}", step, steps),
    )
    if not all(math.isfinite(loss) for loss in lora.losses):
        raise FixativeError("the LoRA's training ran away (its loss is no number); lower the rate")
    return lora
