"""Small real parts that several tests build with: never a mock of the engine."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fixative.codecs.tiny import TinyCodec, tiny_decoder, tiny_encoder
from fixative.mixture import SIDE, Mixture
from fixative.steps import AssignedPictures, TargetPerturbation
from fixative.target import latent_entropy

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def random_codec(*, seed: int = 0, family: str = "sd1", channels: int = 4) -> TinyCodec:
    """A TAESD-format codec with random weights."""
    torch.manual_seed(seed)
    codec = TinyCodec(tiny_encoder(channels), tiny_decoder(channels), name=f"random{seed}")
    codec.family = family
    return codec


def random_mixture(*, seed: int = 0, family: str = "sd1", channels: int = 4) -> Mixture:
    """A mixture of random perturbations at η = 8/255."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(3, channels, 64, 64, generator=generator)
    targets *= torch.tensor([0.3, 0.8, 1.5])[:, None, None, None]
    steps = torch.randint(-127, 128, (15, 3, SIDE, SIDE), generator=generator, dtype=torch.int8)
    return Mixture(
        family=family,
        eta=8 / 255,
        target_names=("low", "mid", "high"),
        shared=steps[:3],
        group=steps[3:].reshape(3, 4, 3, SIDE, SIDE),
        centroids=torch.randn(4, channels, 64, 64, generator=generator),
        target_latents=targets,
        target_entropies=latent_entropy(targets),
        recipe={"kind": "random"},
    )


def random_start(count: int, *, strength: float = 8.0) -> TargetPerturbation:
    """As ``target_perturbation`` makes them, at once; every picture has the same."""
    generator = torch.Generator().manual_seed(0)
    assigned = AssignedPictures(
        group=torch.zeros(count, dtype=torch.long),
        distances=torch.ones(count, 2),
        target=torch.ones(count, dtype=torch.long),
        entropies=torch.full((count,), 2.5),
        target_names=("low", "mid", "high"),
        target_entropies=torch.tensor([1.0, 2.0, 3.0]),
        codec="random0",
        family="sd1",
        mixture="random",
    )
    perturbation = (torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1) * strength / 255
    target = torch.randn(1, 4, 64, 64, generator=generator)
    return TargetPerturbation(
        perturbation.expand(count, -1, -1, -1), strength, assigned, target.expand(count, -1, -1, -1)
    )


def drawn_picture(height: int = 96, width: int = 128, *, seed: int = 0) -> Tensor:
    """(1, 3, H, W): a ramp, a disc and some grain, on the 8-bit grid."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width)[None].expand(height, width)
    disc = ((y - 0.5) ** 2 + (x - 0.4) ** 2 < 0.04).float()
    grain = torch.rand(3, height, width, generator=generator) * 0.1
    picture = torch.stack([0.8 * x, 0.6 * y + 0.3 * disc, 0.7 * (1 - x)]) + grain
    return (picture.clamp(0, 1) * 255).round()[None] / 255
