"""What the tests of the mimicry nodes share: a model that takes no time, widgets and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn

from fixative.codecs import load_codec
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.features import Eyes
from fixative.mimicry.tools import MimicryTools
from fixative.perceptual.distance import LearnedDistance
from nodes.mimic_windows import CLEAN, PROTECTED
from nodes.mimicking import Wanted

WANTED = Wanted(
    rank=2,
    steps=4,
    learning_rate=0.0,
    batch=2,
    layers="auto",
    repetitions=1,
    seed=0,
    samples=4,
    sampling_steps=2,
    guidance=1.5,
)


class Toy(Denoiser):
    """One convolution that sees clean latents in noisy ones; 64 pixels."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1)).requires_grad_(False)
        super().__init__(network, name="toy", family="sd1", latent_channels=4, resolution=64)

    def condition(self, captions: Sequence[str]) -> Condition:
        return {"words": torch.tensor([[float(bool(caption))] for caption in captions])}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cos(times * 1.5), torch.sin(times * 1.5)

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        return 0.5 * noisy + self.network(noisy) + 0.1 * condition["words"][:, :, None, None]


@cache
def toy_tools() -> MimicryTools:
    """The toy with the shipped codec's eyes."""
    codec = load_codec()
    return MimicryTools(Toy(), codec, LearnedDistance(), Eyes(codec, None, "not here"))


def toy_windows() -> dict[str, Tensor]:
    """Three pictures of noise, and the same a little brighter."""
    generator = torch.Generator().manual_seed(0)
    clean = (torch.rand((3, 3, 64, 64), generator=generator) * 255).round() / 255
    return {CLEAN: clean, PROTECTED: (clean * 255 + 8).clamp(0, 255).round() / 255}
