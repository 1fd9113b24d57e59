"""A toy mimicry test: a model that learns colours in milliseconds, and a codec of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from fixative.evaluation.subjects import Subject
from fixative.mimicry.arms import plan_arms
from fixative.mimicry.denoiser import Condition
from fixative.mimicry.features import Eyes
from fixative.mimicry.lora import LoraSettings
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.run import OnProgress, mimic
from fixative.mimicry.sampling import SampleSettings
from fixative.mimicry.sets import PictureSet
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tools import GivenTools, MimicryTools, ToolSource
from fixative.perceptual.distance import LearnedDistance
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import cell_codec
from tests.toy_denoisers import RoundDenoiser

PROTECTION, BASELINE, COUNTERMEASURE = "mist:1", "photoguard:1,goal=zero", "bits:1"
SETTINGS = MimicrySettings(
    arms=plan_arms([PROTECTION], [COUNTERMEASURE], baseline=BASELINE),
    lora=LoraSettings(rank=4, steps=40, batch=3, rate=0.05),
    draw=SampleSettings(steps=4, guidance=1.0),
    seeds=3,
    samples=4,
    canvas=80,
    resamples=200,
    permutations=200,
)


class LearningDenoiser(RoundDenoiser):
    """Sees the noisy latents, the time and a constant; random until a LoRA teaches it."""

    def __init__(self, seed: int = 0) -> None:
        network = nn.Sequential(nn.Conv2d(6, 16, 1), nn.SiLU(), nn.Conv2d(16, 4, 1))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 3)
        super().__init__(network.requires_grad_(False))

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        shape = (len(noisy), 1, *noisy.shape[2:])
        when = times[:, None, None, None].expand(shape)
        return self.network(torch.cat([noisy, when, torch.ones(shape)], 1))

    def loss_weight(self, times: Tensor) -> Tensor:
        return torch.ones_like(times)


@dataclass(frozen=True)
class ToySource:
    """Tools that a worker process can make for itself."""

    many: bool = True

    def load(self) -> MimicryTools:
        return toy_tools()


def toy_tools(*, family: str = "sd1") -> MimicryTools:
    codec = cell_codec("toy")
    denoiser = LearningDenoiser()
    denoiser.family = family
    return MimicryTools(denoiser, codec, LearnedDistance(), Eyes(codec, None, "not wanted here"))


def toy_set(name: str = "toy", count: int = 4, *, seed: int = 0) -> PictureSet:
    pictures = [drawn_picture(80, 96, seed=seed + number) for number in range(count)]
    subjects = [Subject(f"{n}.png", image=picture) for n, picture in enumerate(pictures)]
    return PictureSet(name, tuple(subjects))


def run_toy(
    out: Path,
    *,
    sets: list[PictureSet] | None = None,
    settings: MimicrySettings = SETTINGS,
    source: ToolSource | None = None,
    workers: int = 1,
    on_progress: OnProgress | None = None,
    fresh: bool = False,
) -> MimicryResults:
    return mimic(
        sets or [toy_set()],
        out,
        source or GivenTools(toy_tools()),
        settings,
        workers=workers,
        on_progress=on_progress,
        fresh=fresh,
    )


def numbers(found: MimicryResults) -> object:
    """Everything but what differs between two equal runs."""
    return found.results, found.edits, [replace(row, seconds=0.0) for row in found.rows]
