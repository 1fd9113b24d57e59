"""A toy evaluation: two pictures, instant codecs, every kind of cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from fixative.codecs import CallableCodec, Codec
from fixative.evaluation import Protocol, Results, Tools, evaluate, parse_protocol
from fixative.evaluation.run import OnProgress
from fixative.perceptual.distance import LearnedDistance
from tests.engine_parts import drawn_picture
from tests.toy_models import toy_mixture

TOY = """
version: 1
name: toy
strengths: [4, 8]
window: 48
gallery: 1
resamples: 200
protections:
  - noise
  - {method: "photoguard:2,goal=low", name: PGD}
countermeasures:
  - jpeg:75
  - {method: "noise:0.02+resize:0.5", name: chain, pictures: 1, window: 32}
"""
PICTURES = (drawn_picture(64, 64), drawn_picture(64, 80, seed=5))


def protocol(text: str = TOY) -> Protocol:
    return parse_protocol(text)


def average_cells(images: Tensor) -> Tensor:
    """Latents of 4 channels, the last one zero: means of 8 × 8 cells."""
    return F.pad(F.avg_pool2d(images, 8) * 4 - 2, (0, 0, 0, 0, 0, 1))


def flat_cells(latents: Tensor) -> Tensor:
    return F.interpolate((latents[:, :3] + 2) / 4, scale_factor=8)


def cell_codec(name: str = "cells", *, decodes: bool = True) -> CallableCodec:
    """Instant and differentiable."""
    decode = flat_cells if decodes else None
    return CallableCodec(
        average_cells, decode, name=name, latent_channels=4, downscale=8, family="sd1"
    )


def toy_tools(*codecs: Codec, mixture: bool = False) -> Tools:
    chosen = codecs or (cell_codec("toy", decodes=False),)
    return Tools(chosen, LearnedDistance(), toy_mixture(family="sd1") if mixture else None)


def run_toy(
    out: Path,
    *,
    text: str = TOY,
    pictures: Sequence[Tensor] = PICTURES,
    tools: Tools | None = None,
    on_progress: OnProgress | None = None,
    fresh: bool = False,
) -> Results:
    return evaluate(
        protocol(text),
        pictures,
        out,
        tools=tools or toy_tools(),
        on_progress=on_progress,
        fresh=fresh,
    )
