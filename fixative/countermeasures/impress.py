"""IMPRESS (Cao et al., NeurIPS 2023, arXiv 2310.19248): find the picture that the VAE agrees with.

min over x of  mean (x − D(E(x)))²  +  α · max(LPIPS(x, x_protected) − Δ, 0)       on [−1, 1]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from fixative.codecs.base import Codec
from fixative.countermeasures.base import (
    Countermeasure,
    Need,
    Parameter,
    PurifyStep,
    StepCallback,
)
from fixative.perceptual.distance import PerceptualDistance

ADAM_EPSILON = 1e-5
LAST_RATE = 1e-5


@dataclass(frozen=True)
class ImpressSettings:
    """The constants, on [−1, 1] as published.

    Attributes:
        delta: Δ, how far in LPIPS the result may go for nothing.
        rate: Adam's first learning rate; it falls to 1e-5 by half a cosine.
        iterations: steps at most.
        alpha: α, the weight of the hinge.
        noise: σ of the start around the protected picture; ignored by a round-trip start.
        round_trip_start: start from D(E(x_protected)) instead.
        patience: stop when the best loss of the last so many steps is not 1 % below the best
            before them; 0 never stops.
    """

    delta: float
    rate: float
    iterations: int
    alpha: float
    noise: float
    round_trip_start: bool = False
    patience: int = 0


PRESETS = {
    "photoguard": ImpressSettings(0.1, 0.005, 1000, 0.01, 0.05),
    "glaze": ImpressSettings(0.1, 0.01, 3000, 0.1, 0.1),
    "fast": ImpressSettings(0.1, 0.02, 100, 0.01, 0.0, round_trip_start=True, patience=15),
}


class Impress(Countermeasure):
    """Purify with the VAE alone.

    Args:
        codec: with a decoder and gradients.
        distance: LPIPS; the authors used VGG. The result's details say which it was.
        preset: ``photoguard`` or ``glaze`` as published, or ``fast``: the same objective from a
            better start, with a larger step and an end where nothing improves.
        settings: instead of a preset.
        seed: of the start.
    """

    name = "impress"
    needs = Need.CODEC
    parameters = (
        Parameter(
            "preset", "photoguard", help="published settings, or fast", choices=tuple(PRESETS)
        ),
    )

    def __init__(
        self,
        codec: Codec,
        distance: PerceptualDistance,
        *,
        preset: str = "photoguard",
        settings: ImpressSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.preset = preset
        self.settings = settings or PRESETS[preset]
        self._codec, self._distance = codec, distance

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> tuple[Tensor, dict[str, Any]]:
        losses: list[dict[str, float]] = []
        best, least = image, float("inf")
        with torch.inference_mode(False), torch.enable_grad():
            for x, loss in self.iterates(image.clone(), generator):
                losses.append(loss)
                if loss["loss"] <= least or not self.settings.patience:
                    best, least = x, loss["loss"]
                if on_step is not None:
                    on_step(PurifyStep(0, len(losses), self.settings.iterations, loss))
                if self._stalled(losses):
                    break
        facts = {"distance": self._distance.name, "steps": len(losses), "losses": losses}
        return best, facts

    def iterates(
        self, image: Tensor, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """Each step's picture (1, 3, H, W) in [0, 1] after it, and the losses before it."""
        settings = self.settings
        protected = image.to(self._codec.device)
        x = self._start(protected, generator).requires_grad_(True)
        adam = torch.optim.Adam([x], lr=settings.rate, eps=ADAM_EPSILON)
        schedule = CosineAnnealingLR(adam, settings.iterations, eta_min=LAST_RATE)
        for _ in range(settings.iterations):
            losses = self._losses(x, protected)
            adam.zero_grad()
            losses["loss"].backward()
            adam.step()
            schedule.step()
            with torch.no_grad():
                x.clamp_(-1, 1)
            yield (x.detach() + 1) / 2, {name: loss.item() for name, loss in losses.items()}

    def _start(self, protected: Tensor, generator: torch.Generator) -> Tensor:
        """On [−1, 1]."""
        if self.settings.round_trip_start:
            with torch.no_grad():
                return 2 * self._codec.reconstruct(protected).clamp(0, 1) - 1
        noise = torch.randn(protected.shape, generator=generator).to(protected)
        return 2 * protected - 1 + self.settings.noise * noise

    def _losses(self, x: Tensor, protected: Tensor) -> dict[str, Tensor]:
        pictures = (x + 1) / 2
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._mixed(x.device)):
            again = self._codec.reconstruct(pictures)
        consistency = (x - (2 * again.float() - 1)).square().mean()
        distance = self._distance(pictures, protected).mean()
        hinge = (distance - self.settings.delta).clamp_min(0)
        return {
            "loss": consistency + self.settings.alpha * hinge,
            "consistency": consistency,
            "distance": distance,
        }

    def _mixed(self, device: torch.device) -> bool:
        return device.type == "cuda" and self.preset == "fast"

    def _stalled(self, losses: list[dict[str, float]]) -> bool:
        patience = self.settings.patience
        if not patience or len(losses) <= patience:
            return False
        earlier = min(loss["loss"] for loss in losses[:-patience])
        recent = min(loss["loss"] for loss in losses[-patience:])
        return recent > 0.99 * earlier
