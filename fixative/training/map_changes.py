"""The changes a strength map is trained and measured on: what protections do to a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fixative.training.crops import CropSampler
from fixative.training.shards import ShardSampler

#: A crop that was attacked, and the pattern in [-1, 1].
Attacked = tuple[Tensor, Tensor]
#: (B, 3, H, W) in [0, 1] → latents.
Encode = Callable[[Tensor], Tensor]
#: Draws a pattern (1, 3, size, size) in [-1, 1].
Pattern = Callable[[int, torch.Generator], Tensor]

USUAL_STRENGTH = 8 / 255
STRENGTHS = (2 / 255, 16 / 255)
ATTACK_STEPS = 5


def random_change(picture: Tensor, bank: list[Attacked], generator: torch.Generator) -> Tensor:
    """Change (1, 3, S, S) in [0, 1] as a protection, or as mild JPEG or blur, would."""
    roll = _uniform(0, 1, generator)
    if roll < 0.08:
        return jpeg(picture, quality=int(_uniform(30, 92, generator)))
    if roll < 0.13:
        return blur(picture, sigma=_uniform(0.5, 1.5, generator))
    pattern = _random_pattern(picture.shape[-1], bank, generator)
    if _uniform(0, 1, generator) < 0.3:
        pattern = pattern * _soft_mask(picture.shape[-1], generator)
    return (picture + random_strength(generator) * pattern).clamp(0, 1)


def random_strength(generator: torch.Generator) -> float:
    """L∞ on [0, 1]: 8/255 half of the time, else log-uniform between 2/255 and 16/255."""
    if _uniform(0, 1, generator) < 0.5:
        return USUAL_STRENGTH
    low, high = (math.log(value) for value in STRENGTHS)
    return math.exp(_uniform(low, high, generator))


def sign_noise(size: int, generator: torch.Generator) -> Tensor:
    """Random signs, independent at every pixel and channel."""
    return torch.randn(1, 3, size, size, generator=generator).sign()


def smooth_noise(size: int, generator: torch.Generator) -> Tensor:
    """Low-pass noise, with features of 3 to 24 pixels."""
    side = max(4, round(size / _uniform(3, 24, generator)))
    noise = torch.randn(1, 3, side, side, generator=generator)
    return F.interpolate(noise, (size, size), mode="bicubic").clamp(-1, 1)


def waves(size: int, generator: torch.Generator) -> Tensor:
    """A periodic texture: a few plane waves with a phase a channel, pushed towards ±1."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    total = torch.zeros(1, 3, size, size)
    for _ in range(1 + int(_uniform(0, 4, generator))):
        angle = _uniform(0, math.pi, generator)
        turn = 2 * math.pi / math.exp(_uniform(math.log(3), math.log(48), generator))
        phase = torch.rand(3, 1, 1, generator=generator) * 2 * math.pi
        total += torch.sin(turn * (math.cos(angle) * x + math.sin(angle) * y) + phase)
    return torch.tanh(total * _uniform(0.7, 4, generator))


def attack_texture(size: int, bank: list[Attacked], generator: torch.Generator) -> Tensor:
    """A perturbation of the bank: shifted, mirrored and resized by 0.6 to 2.5."""
    _, pattern = bank[int(torch.randint(len(bank), (), generator=generator))]
    shift = torch.randint(pattern.shape[-1], (2,), generator=generator).tolist()
    pattern = pattern.roll(shift, (-2, -1))
    if _uniform(0, 1, generator) < 0.5:
        pattern = pattern.flip(-1)
    if _uniform(0, 1, generator) < 0.6:
        pattern = _resized(pattern, _uniform(0.6, 2.5, generator))
    copies = math.ceil(size / pattern.shape[-1])
    return pattern.repeat(1, 1, copies, copies)[..., :size, :size]


def attack_bank(
    encode: Encode, crops: CropSampler | ShardSampler, size: int, generator: torch.Generator
) -> list[Attacked]:
    """Attack an encoder: six perturbations common to two crops, then eight of one crop each.

    Returns:
        Pairs of a crop (1, 3, size, size) that was attacked and its pattern in [-1, 1].
    """
    bank: list[Attacked] = []
    for count in [2] * 6 + [1] * 8:
        pictures = crops.sample(count + 1, size, generator)
        start = _resized_noise(size, generator)
        bank.append((pictures[:1], attack(encode, pictures[:-1], pictures[-1:], start)))
    return bank


def attack(encode: Encode, pictures: Tensor, target: Tensor, start: Tensor) -> Tensor:
    """Projected gradient descent from the pictures' latents to the target's, at 8/255.

    Returns:
        The pattern common to the pictures, (1, 3, S, S) in [-1, 1].
    """
    with torch.no_grad():
        wanted = encode(target)
    pattern = start.clone()
    with torch.enable_grad():
        for _ in range(ATTACK_STEPS):
            pattern.requires_grad_(True)
            latents = encode((pictures + USUAL_STRENGTH * pattern).clamp(0, 1))
            (gradient,) = torch.autograd.grad((latents - wanted).square().sum(), pattern)
            pattern = (pattern.detach() - 0.4 * gradient.sign()).clamp(-1, 1)
    return pattern


def jpeg(picture: Tensor, *, quality: int) -> Tensor:
    """(1, 3, H, W) in [0, 1] after one JPEG round trip."""
    pixels = (picture[0].permute(1, 2, 0) * 255).round().byte().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as decoded:
        array = np.array(decoded)
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def blur(picture: Tensor, *, sigma: float) -> Tensor:
    """Gaussian blur of (1, 3, H, W), ``sigma`` in pixels."""
    offsets = torch.arange(-4, 5, dtype=picture.dtype)
    line = torch.softmax(-offsets.square() / (2 * sigma**2), 0)
    kernel = torch.outer(line, line).expand(3, 1, 9, 9)
    return F.conv2d(F.pad(picture, (4, 4, 4, 4), mode="reflect"), kernel, groups=3)


def _random_pattern(size: int, bank: list[Attacked], generator: torch.Generator) -> Tensor:
    roll = _uniform(0, 1, generator)
    if bank and roll < 0.4:
        return attack_texture(size, bank, generator)
    draw: Pattern = (sign_noise, smooth_noise, waves)[int(roll * 997) % 3]
    if draw is sign_noise and roll > 0.7:
        return _resized_noise(size, generator)
    return draw(size, generator)


def _resized_noise(size: int, generator: torch.Generator) -> Tensor:
    factor = _uniform(1, 4, generator)
    return _resized(sign_noise(math.ceil(size / factor), generator), factor)[..., :size, :size]


def _resized(pattern: Tensor, factor: float) -> Tensor:
    side = math.ceil(pattern.shape[-1] * factor)
    resized = F.interpolate(pattern, (side, side), mode="bilinear", antialias=factor < 1)
    return resized / resized.abs().amax().clamp_min(1e-6)


def _soft_mask(size: int, generator: torch.Generator) -> Tensor:
    """(1, 1, size, size) in [0, 1], as a soft brush or an earlier strength map gives."""
    coarse = torch.rand(1, 1, 6, 6, generator=generator)
    return F.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
