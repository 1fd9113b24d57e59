"""What protections without a target change: a denoiser's loss, while they run and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.codecs import Codec
from fixative.evaluation.subjects import cut
from fixative.mimicry.denoiser import Denoiser, mean_loss
from fixative.protections.base import ChangeReport, Protected
from fixative.protections.iterative import AttackStep
from fixative.protections.noise import RandomNoise

from .live import LiveCurves
from .pulls import Asked, PullCurve, changed
from .training import SMOOTHED, smoothed

LABEL = f"the denoiser's loss, mean of the last {SMOOTHED} steps"


class LossCurve(PullCurve):
    """The loss at each step. Each draws a time, which the loss depends on most: it is smoothed.

    Args:
        live: shows the curve.
    """

    def __init__(self, live: LiveCurves) -> None:
        super().__init__(live)
        self._losses: list[float] = []

    def begin(self) -> None:
        super().begin()
        self._losses = []

    def add(self, step: AttackStep) -> None:
        self._losses.append(step.losses["denoising"])
        mean = smoothed(self._losses)[-1]
        self._live.add(step.step, step.steps, mean, f"loss {mean:.4f}", None)


@dataclass(frozen=True)
class DisturbedPicture:
    """One protected picture.

    Attributes:
        protected: of one picture.
        loss: the denoiser's, of the picture as it would be saved.
        before: of the picture as it was.
        noise: of random noise of the same strength.
        curve: the smoothed loss at each step.
        seconds: it took.
    """

    protected: Protected
    loss: float
    before: float
    noise: float
    curve: list[float]
    seconds: float

    @property
    def report(self) -> ChangeReport:
        """How much the picture changed."""
        return self.protected.reports[0]

    @property
    def line(self) -> str:
        """For a person."""
        return (
            f"the denoiser's loss {self.loss:.4f}, before {self.before:.4f} (random noise "
            f"{self.noise:.4f}), {changed(self.report)}, {self.seconds:.1f} s"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "loss": self.loss,
            "before": self.before,
            "noise": self.noise,
            "seconds": round(self.seconds, 3),
            **self.report.to_dict(),
            "losses": [round(value, 6) for value in self.curve],
        }


class LossMeter:
    """Measures the denoiser's loss on the centre of pictures, the size that it was trained for.

    Args:
        asked: the protection; the noise beside it has its strength and seed.
        codec: of the denoiser's family.
        denoiser: whose loss; without gradients.
    """

    def __init__(self, asked: Asked, codec: Codec, denoiser: Denoiser) -> None:
        self._codec, self._denoiser, self._seed = codec, denoiser, asked.seed
        self._noise = RandomNoise(strength=asked.strength, seed=asked.seed)

    @torch.no_grad()
    def measure(
        self,
        image: Tensor,
        protected: Protected,
        mask: Tensor | None,
        curve: list[float],
        seconds: float,
    ) -> DisturbedPicture:
        """One picture (1, 3, H, W) and what was made of it in ``seconds``."""
        noisy = self._noise.protect(image, mask=mask).image
        after, before, beside = (self._loss(one) for one in (protected.image, image, noisy))
        return DisturbedPicture(protected, after, before, beside, list(curve), seconds)

    def _loss(self, image: Tensor) -> float:
        """Times and noise are not those that the protection has met, and the same for all."""
        latents = self._codec.encode(cut(image, self._denoiser.resolution))
        return mean_loss(self._denoiser, latents, seed=self._seed + 1)
