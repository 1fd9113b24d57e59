"""Small models for tests that are about something else: instant, or of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from fixative.codecs import CallableCodec
from fixative.codecs.base import UNKNOWN_FAMILY
from fixative.codecs.tiny import tiny_encoder
from fixative.mixture import Mixture, quantise
from fixative.protector import Protector, ProtectSettings

TARGETS = ("low", "mid", "high")


def toy_mixture(seed: int = 3, *, family: str = "unknown", eta: float = 8 / 255) -> Mixture:
    """A mixture of coarse random patterns for latents of 4 channels, with 2 groups."""
    noise = torch.Generator().manual_seed(seed)

    def patterns(*lead: int) -> torch.Tensor:
        coarse = torch.rand((*lead, 3, 64, 64), generator=noise) * 2 - 1
        fine = coarse.repeat_interleave(8, -1).repeat_interleave(8, -2)
        return quantise(fine.sign() * eta / 2, eta)

    return Mixture(
        family=family,
        eta=eta,
        target_names=TARGETS,
        shared=patterns(3),
        group=patterns(3, 2),
        centroids=torch.randn(2, 4, 64, 64, generator=noise),
        target_latents=torch.randn(3, 4, 64, 64, generator=noise),
        target_entropies=torch.tensor([4.0, 5.0, 6.0]),
        name="toy",
    )


def toy_codec(family: str = UNKNOWN_FAMILY) -> CallableCodec:
    """Latents of 4 channels by averaging: instant, and enough for the file layer."""

    def encode(images: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(images, 8) * 4 - 2
        return torch.cat([cells, cells.mean(1, keepdim=True)], 1)

    def decode(latents: torch.Tensor) -> torch.Tensor:
        cells = (latents[:, :3] + 2) / 4
        return cells.repeat_interleave(8, -1).repeat_interleave(8, -2)

    return CallableCodec(encode, decode, name="toy", latent_channels=4, downscale=8, family=family)


def toy_protector(strength: float = 8.0, target: str = "auto") -> Protector:
    """A Protector that takes milliseconds."""
    settings = ProtectSettings(strength=strength, target=target, strength_map="off")
    return Protector(toy_codec(), toy_mixture(), settings)


def save_random_encoder(path: Path, seed: int = 5) -> Path:
    """A narrow codec file in TAESD's format with random weights; its family is unknown."""
    noise = torch.Generator().manual_seed(seed)
    state = tiny_encoder(4, 8).state_dict()
    drawn = {key: torch.randn(value.shape, generator=noise) * 0.14 for key, value in state.items()}
    save_file(drawn, path)
    return path


@dataclass(frozen=True)
class Models:
    """Files to protect with; the codec's family is unknown, so is the mixture's."""

    codec: Path
    mixture: Path
    other_family: Path

    def arguments(self) -> list[str]:
        """Options of the command line that choose them."""
        names = ["--codec", str(self.codec), "--mixture", str(self.mixture)]
        return [*names, "--strength-map", "off"]


def save_models(folder: Path) -> Models:
    """Write a random codec, a mixture for it and one of another family."""
    made = Models(folder / "tiny_encoder.safetensors", folder / "a.safetensors", folder / "b.st")
    save_random_encoder(made.codec)
    toy_mixture().save(made.mixture)
    toy_mixture(family="sdxl").save(made.other_family)
    return made
