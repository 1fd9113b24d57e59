"""Measuring protections side by side on the same windows of the same held-out pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.metrics import psnr, pull
from fixative.perceptual import VisibilityMap
from fixative.training.targets import draw_targets

BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Bench:
    """The pictures and the place where everything is measured.

    Attributes:
        codec: measures the pull.
        pictures: (N, 3, 512, 512).
        target: (N,) index of the target each picture aims at.
        window: side of the centre window that is encoded; 512 = all.
        lpips: the reference map, or None.
    """

    codec: Codec
    pictures: Tensor
    target: Tensor
    window: int
    lpips: VisibilityMap | None

    def cut(self, images: Tensor) -> Tensor:
        """The centre window of 512 pictures."""
        first = (images.shape[-1] - self.window) // 2 // 8 * 8
        return images[..., first : first + self.window, first : first + self.window]

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Latents one by one, so that memory stays small."""
        return torch.cat([self.codec.encode(image[None]) for image in images])

    def goals(self, target: Tensor | None = None) -> Tensor:
        """Target latents of each picture's window."""
        latents = self.encode(self.cut(draw_targets()))
        return latents[self.target if target is None else target]


@dataclass(frozen=True)
class Row:
    """One method's figures: per-picture pulls and means of the rest."""

    name: str
    pulls: Tensor
    lpips: float | None
    decibel: float
    seconds: float

    @property
    def mean(self) -> float:
        """Mean pull."""
        return self.pulls.mean().item()

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """95 % bootstrap interval of the mean pull."""
        generator = torch.Generator().manual_seed(seed)
        count = len(self.pulls)
        picks = torch.randint(count, (BOOTSTRAPS, count), generator=generator)
        low, high = self.pulls[picks].mean(1).quantile(torch.tensor([0.025, 0.975]))
        return low.item(), high.item()

    def cells(self, reference: float) -> list[object]:
        """For the table; ``reference`` is the PGD's mean pull."""
        low, high = self.interval()
        lpips = "–" if self.lpips is None else f"{self.lpips:.3f}"
        share = f"{self.mean / reference:.2f}" if reference else "–"
        return [
            self.name,
            f"{self.mean:.3f} ({low:.3f} to {high:.3f})",
            share,
            lpips,
            f"{self.decibel:.1f}",
            f"{self.seconds:.2f}",
        ]


HEADER = ["method", "pull (95 % interval)", "of PGD's", "LPIPS", "PSNR dB", "s a picture"]


def measure(
    bench: Bench,
    name: str,
    protect: Callable[[Tensor], Tensor],
    *,
    target: Tensor | None = None,
    windowed: bool = False,
) -> Row:
    """Protect every picture and measure the windows.

    Args:
        bench: pictures and codec.
        name: the row's.
        protect: (N, 3, H, W) → the same, protected.
        target: (N,) targets aimed at, if not the bench's.
        windowed: hand over the windows instead of the whole pictures (PGD: it is slow).
    """
    given = bench.cut(bench.pictures) if windowed else bench.pictures
    start = time.perf_counter()
    done = torch.cat([protect(picture[None]) for picture in given])
    seconds = (time.perf_counter() - start) / len(given)
    before = bench.cut(bench.pictures)
    after = done if windowed else bench.cut(done)
    return score(bench, name, before, after, target=target, seconds=seconds)


def score(
    bench: Bench,
    name: str,
    before: Tensor,
    after: Tensor,
    *,
    target: Tensor | None = None,
    seconds: float = 0.0,
) -> Row:
    """Figures of windows already protected."""
    pulls = pull(bench.encode(after), bench.encode(before), bench.goals(target))
    seen = None
    if bench.lpips is not None:
        pairs = zip(before.split(1), after.split(1), strict=True)
        with torch.no_grad():
            seen = sum(bench.lpips(a, b).mean().item() for a, b in pairs) / len(before)
    return Row(name, pulls, seen, psnr(after, before).mean().item(), seconds)
