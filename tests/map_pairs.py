"""Pairs of pictures drawn by code, and a backbone of random weights, for the strength maps."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

EPSILON = 8 / 255


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, height, width, generator=generator)


def changed(picture: Tensor, strength: float = EPSILON, seed: int = 9) -> Tensor:
    height, width = picture.shape[-2:]
    pattern = noise(height, width, seed).sign()
    return (picture + strength * pattern).clamp(0, 1)


def half_textured(side: int = 256) -> Tensor:
    """Left half flat grey, right half strong texture of the same mean."""
    picture = torch.full((1, 3, side, side), 0.5)
    texture = F.interpolate(noise(side // 2, side // 4), (side, side // 2)).sign()
    picture[..., side // 2 :] += 0.35 * texture
    return picture


def drawn_pair() -> tuple[Tensor, Tensor]:
    """A gradient with rings, and the same with a periodic change; by formulas only."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 128), torch.linspace(0, 1, 128), indexing="ij")
    rings = 0.5 + 0.3 * torch.sin(60 * ((x - 0.3) ** 2 + (y - 0.6) ** 2))
    picture = torch.stack([x, rings, 1 - y])[None]
    wave = torch.sin(torch.stack([40 * x + 9 * y, 55 * y, 70 * (x - y)]))[None]
    return picture, (picture + EPSILON * wave).clamp(0, 1)


def save_random_backbone(path: Path) -> Path:
    """AlexNet's features with random weights, as LPIPS takes them."""
    noise = torch.Generator().manual_seed(1)
    shapes = {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    }
    tensors: dict[str, Tensor] = {}
    for index, shape in shapes.items():
        tensors[f"{index}.weight"] = torch.randn(shape, generator=noise) * 0.05
        tensors[f"{index}.bias"] = torch.zeros(shape[0])
    save_file(tensors, path)
    return path
