"""IMPRESS (Cao et al., NeurIPS 2023, arXiv 2310.19248): find the picture that the VAE agrees with.

min over x of  mean (x − D(E(x)))²  +  α · max(LPIPS(x, x_protected) − Δ, 0)       on [−1, 1]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.countermeasures.base import Need, Outcome, PurifyStep, StepCallback
from fixative.countermeasures.tiled import TILE, TiledCountermeasure
from fixative.errors import CodecError
from fixative.perceptual.distance import PerceptualDistance
from fixative.registry import Parameter

ADAM_EPSILON = 1e-5
LAST_RATE = 1e-5
MOST_STEPS = 10_000
#: A best loss that falls by a smaller share than this over the patience has stalled.
PLATEAU = 0.01

Losses = dict[str, float]


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
            before them, and keep the best; 0 goes on to the end and keeps the last, as published.
        mixed: the autoencoder in bfloat16 where the device is CUDA.
        memory: Adam's decay of its mean square; a short one follows a falling loss sooner.
    """

    delta: float
    rate: float
    iterations: int
    alpha: float
    noise: float
    round_trip_start: bool = False
    patience: int = 0
    mixed: bool = False
    memory: float = 0.999


PRESETS = {
    "photoguard": ImpressSettings(0.1, 0.005, 1000, 0.01, 0.05),
    "glaze": ImpressSettings(0.1, 0.01, 3000, 0.1, 0.1),
    "fast": ImpressSettings(
        0.1, 0.08, 116, 0.01, 0.0, round_trip_start=True, patience=30, mixed=True, memory=0.9
    ),
}


class Impress(TiledCountermeasure):
    """Purify with the VAE alone.

    Args:
        codec: with a decoder and gradients.
        distance: LPIPS; the authors used VGG. The result's details say which it was.
        preset: ``photoguard`` or ``glaze`` as published, or ``fast``: the same objective from a
            better start, with a larger step and an end where nothing improves.
        steps: instead of the preset's number, 1 to 10 000; 0: the preset's.
        rate: Adam's first, instead of the preset's, above 0 to 1; 0: the preset's. That of ``fast``
            overshoots before it gains: with 20 steps 0.02 ends lower.
        settings: instead of a preset.
        tile: side of a tile in pixels.
        out_of_memory: the exceptions that mean it.
        seed: of the start.
    """

    name = "impress"
    needs = Need.CODEC
    resources = ("codec", "distance")
    parameters = (
        Parameter(
            "preset", "photoguard", help="published settings, or fast", choices=tuple(PRESETS)
        ),
        Parameter("steps", 0, 0, MOST_STEPS, "0: the preset's"),
        Parameter("rate", 0.0, 0.0, 1.0, "Adam's first; 0: the preset's; fewer steps want less"),
    )

    def __init__(
        self,
        codec: Codec,
        distance: PerceptualDistance,
        *,
        preset: str = "photoguard",
        steps: int = 0,
        rate: float = 0.0,
        settings: ImpressSettings | None = None,
        tile: int = TILE,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(tile=tile, out_of_memory=out_of_memory, seed=seed)
        self.preset, self.steps = (preset if settings is None else "custom"), steps
        chosen = settings or PRESETS[preset]
        self.rate, iterations = rate, steps or chosen.iterations
        self.settings = replace(chosen, iterations=iterations, rate=rate or chosen.rate)
        self._codec, self._distance = codec, distance

    def iterates(
        self, image: Tensor, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Losses]]:
        """Every iterate (1, 3, H, W) on [−1, 1] and its losses; one more than there are steps."""
        settings = self.settings
        protected = image.to(self._codec.device)
        x = self._start(protected, generator).requires_grad_(True)
        betas = (0.9, settings.memory)
        adam = torch.optim.Adam([x], lr=settings.rate, betas=betas, eps=ADAM_EPSILON)
        schedule = CosineAnnealingLR(adam, settings.iterations, eta_min=LAST_RATE)
        for _ in range(settings.iterations):
            losses = self._losses(x, protected)
            adam.zero_grad()
            losses["loss"].backward()
            yield x.detach().clone(), _numbers(losses)
            adam.step()
            schedule.step()
            with torch.no_grad():
                x.clamp_(-1, 1)
        with torch.no_grad():
            yield x.detach(), _numbers(self._losses(x, protected))

    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        curve: list[Losses] = []
        with torch.inference_mode(False), torch.enable_grad():
            kept, least = tile.clone(), float("inf")  # a clone here is no inference tensor
            for x, losses in self.iterates(kept, generator):
                curve.append(losses)
                if losses["loss"] <= least or not self.settings.patience:
                    kept, least = x, losses["loss"]
                if on_step is not None and len(curve) > 1:
                    steps = self.settings.iterations
                    on_step(PurifyStep(0, len(curve) - 1, steps, losses, (x + 1) / 2))
                if self._stalled(curve):
                    break
        return ((kept + 1) / 2).to(tile).clamp(0, 1), self._facts(curve, least)

    def _facts(self, curve: list[Losses], final: float) -> dict[str, Any]:
        return {
            "codec": self._codec.name,
            "distance": self._distance.name,
            "preset": self.preset,
            "steps": len(curve) - 1,
            "loss": final,
            "losses": curve,
        }

    def _joined(self, details: list[dict[str, Any]]) -> dict[str, Any]:
        """Means over the tiles; a tile that ended early stays at its last losses."""
        longest = max(len(one["losses"]) for one in details)
        curves = [one["losses"] + [one["losses"][-1]] * longest for one in details]
        mean = [
            {name: sum(curve[i][name] for curve in curves) / len(curves) for name in curves[0][i]}
            for i in range(longest)
        ]
        final = sum(one["loss"] for one in details) / len(details)
        return {**details[0], "steps": longest - 1, "loss": final, "losses": mean}

    def _start(self, protected: Tensor, generator: torch.Generator) -> Tensor:
        """On [−1, 1]."""
        if self.settings.round_trip_start:
            with torch.no_grad():
                return 2 * self._codec.reconstruct(protected).clamp(0, 1) - 1
        noise = torch.randn(protected.shape, generator=generator).to(protected)
        return 2 * protected - 1 + self.settings.noise * noise

    def _losses(self, x: Tensor, protected: Tensor) -> dict[str, Tensor]:
        """Of x on [−1, 1]; the mean square has gradients through both of its arguments."""
        pictures = (x + 1) / 2
        mixed = self.settings.mixed and x.device.type == "cuda"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=mixed):
            again = self._codec.reconstruct(pictures)
        if torch.is_grad_enabled() and not again.requires_grad:
            raise CodecError(f"codec {self._codec.name}: has no gradients, which impress needs")
        consistency = (x - (2 * again.float() - 1)).square().mean()
        distance = self._distance(pictures, protected).mean().to(x.device)
        hinge = (distance - self.settings.delta).clamp_min(0)
        return {
            "loss": consistency + self.settings.alpha * hinge,
            "consistency": consistency,
            "distance": distance,
        }

    def _stalled(self, curve: list[Losses]) -> bool:
        patience = self.settings.patience
        if not patience or len(curve) <= patience:
            return False
        earlier = min(losses["loss"] for losses in curve[:-patience])
        recent = min(losses["loss"] for losses in curve[-patience:])
        return recent > (1 - PLATEAU) * earlier


def _numbers(losses: dict[str, Tensor]) -> Losses:
    return {name: loss.item() for name, loss in losses.items()}
