"""Draw the README's picture: a landscape of our own, protected, and what changed.

python benchmarks/readme_picture.py docs/protected.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from common import ROOT
from PIL import Image
from torch import Tensor

from fixative import Protector, load_codec, load_mixture
from fixative.pictures import comparison_sheet


def landscape(side: int = 640, *, seed: int = 4) -> Tensor:
    """A painted evening: sky, sun, three ridges, a lake with ripples, (1, 3, side, side)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.linspace(0, 1, side)[:, None].expand(side, side)
    x = torch.linspace(0, 1, side)[None].expand(side, side)
    picture = _mix(_colour(0.98, 0.72, 0.42), _colour(0.20, 0.32, 0.55), (1.5 * y).clamp(0, 1))
    sun = torch.sigmoid((0.075 - ((x - 0.68) ** 2 + (y - 0.30) ** 2).sqrt()) * 160)
    picture = _mix(_colour(1.0, 0.93, 0.72), picture, sun)
    ridges = (
        ((0.47, 0.36, 0.47), 0.44, 0.07, 3),
        ((0.28, 0.26, 0.36), 0.54, 0.06, 5),
        ((0.13, 0.17, 0.20), 0.63, 0.045, 8),
    )
    for colour, height, rough, waves in ridges:
        edge = height + rough * _skyline(x[0], waves, generator)
        covered = torch.sigmoid((y - edge) * 260)
        shade = 1 + 0.35 * (_grain(side, 24, generator) - 0.5)
        picture = _mix((_colour(*colour) * shade).clamp(0, 1), picture, covered)
    lake = torch.sigmoid((y - 0.74) * 300)
    ripples = 0.5 + 0.5 * torch.sin(
        260 * (y - 0.7).clamp_min(0) ** 0.8 + 9 * _grain(side, 40, generator)
    )
    water = _mix(_colour(0.92, 0.62, 0.42), _colour(0.15, 0.22, 0.34), ripples * (1 - y))
    picture = _mix(water, picture, lake)
    brush = 0.06 * (_grain(side, 160, generator) - 0.5) + 0.03 * (
        _grain(side, side, generator) - 0.5
    )
    return ((picture + brush).clamp(0, 1) * 255).round()[None] / 255


def _colour(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue])[:, None, None]


def _mix(over: Tensor, under: Tensor, share: Tensor) -> Tensor:
    return over * share + under * (1 - share)


def _skyline(x: Tensor, waves: int, generator: torch.Generator) -> Tensor:
    phases = torch.rand(waves, generator=generator) * 6.28
    terms = [torch.sin(6.28 * (i + 1) * x + p) / (i + 1) for i, p in enumerate(phases)]
    return torch.stack(terms).sum(0)[None]


def _grain(side: int, cells: int, generator: torch.Generator) -> Tensor:
    small = torch.rand(1, 1, cells, cells, generator=generator)
    return torch.nn.functional.interpolate(small, (side, side), mode="bicubic")[0, 0]


def to_pil(images: Tensor) -> Image.Image:
    """(1, 3, H, W) in [0, 1] → a PIL picture."""
    pixels = (images[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return Image.fromarray(pixels)


def main() -> None:
    """Protect the landscape and write the sheet."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "protected.png")
    out = options.parse_args().out
    picture = landscape()
    result = Protector(load_codec(), load_mixture()).protect(picture)
    before, after = (to_pil(images) for images in (picture, result.image))
    sheet = comparison_sheet(before, after, result.strength_map, panel_height=400)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)


if __name__ == "__main__":
    main()
