"""Latent families and how an encoder is recognised as a member of one.

The autoencoders of SD 1.x/2.x and SDXL have the same layers, so a file's shapes do not tell them
apart. We encode a small probe picture and correlate its latents with stored ones of each family.
Correlation does not see scale or shift: scaled and unscaled latents match alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from fixative.codecs.base import UNKNOWN_FAMILY, Codec
from fixative.weights import load_tensors, verified_weights

PROBE_SIDE = 128
PROBES_FILE = "family_probes.safetensors"
#: Mean correlation over channels that a member must reach …
MEMBER_SCORE = 0.75
#: … and by how much it must lead the next family.
CLEAR_LEAD = 0.2


@dataclass(frozen=True)
class Scaling:
    """Latents of the model = (mean − shift) · scale."""

    scale: float
    shift: float = 0.0


#: Published scaling factors of the full autoencoders.
SCALINGS = {
    "sd1": Scaling(0.18215),
    "sdxl": Scaling(0.13025),
    "sd3": Scaling(1.5305, 0.0609),
    "flux1": Scaling(0.3611, 0.1159),
}


@dataclass(frozen=True)
class FamilyMatch:
    """The outcome of a fingerprint.

    Attributes:
        family: the family, or ``unknown`` where no stored one matches clearly.
        score: mean over channels of the correlation with the best family, −1 to 1.
        scores: that figure for every family with this number of channels.
    """

    family: str
    score: float
    scores: dict[str, float]


def probe_picture() -> Tensor:
    """The fixed probe, (1, 3, 128, 128) in [0, 1]: ramps, waves, discs and bars in all colours."""
    axis = (torch.arange(PROBE_SIDE, dtype=torch.float64) + 0.5) / PROBE_SIDE
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    planes: list[Tensor] = []
    for channel in range(3):
        wave = torch.sin(2 * math.pi * ((3 + 2 * channel) * x + (5 - channel) * y * y))
        ramp = (x * (channel + 1) / 3 + y * (3 - channel) / 3) / 2
        disc = ((x - 0.3 - 0.2 * channel) ** 2 + (y - 0.7 + 0.2 * channel) ** 2 < 0.03).double()
        bars = ((x * (8 + 4 * channel)).floor() % 2) * (y > 0.8)
        planes.append(0.25 + 0.18 * wave + 0.4 * ramp + 0.35 * disc - 0.3 * bars)
    return torch.stack(planes)[None].clamp(0, 1).float()


@torch.no_grad()
def identify_family(codec: Codec) -> FamilyMatch:
    """Compare the codec's latents of the probe with each family's."""
    latents = codec.encode(probe_picture()).cpu()
    scores = {
        family: _channel_correlation(latents, stored)
        for family, stored in _stored_probes().items()
        if stored.shape == latents.shape
    }
    ranked = sorted(scores, key=lambda family: scores[family], reverse=True)
    if not ranked:
        return FamilyMatch(UNKNOWN_FAMILY, 0.0, scores)
    best = scores[ranked[0]]
    lead = best - scores[ranked[1]] if len(ranked) > 1 else 1.0
    clear = best >= MEMBER_SCORE and lead >= CLEAR_LEAD
    return FamilyMatch(ranked[0] if clear else UNKNOWN_FAMILY, best, scores)


@cache
def _stored_probes() -> dict[str, Tensor]:
    probes = load_tensors(verified_weights(PROBES_FILE))
    return {family: latents.float() for family, latents in probes.items()}


def _channel_correlation(a: Tensor, b: Tensor) -> float:
    rows = [
        torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]
        for x, y in zip(a[0], b[0], strict=True)
    ]
    return float(torch.stack(rows).nan_to_num(0).mean())
