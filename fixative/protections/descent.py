"""Projected descent with signed steps (PGD, Madry et al. 2018), which the methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

#: A change (B, 3, H, W) → the latents of the changed pictures and the loss's gradient.
Slope = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Iterate:
    """The state before a step.

    Attributes:
        change: (B, 3, H, W), what is added to the pictures.
        latents: (B, C, h, w) of the changed pictures; None after the last step.
    """

    change: Tensor
    latents: Tensor | None


def descend(
    images: Tensor, start: Tensor, slope: Slope, *, bound: Tensor, sizes: Sequence[float]
) -> Iterator[Iterate]:
    """Go down ``slope`` from ``start``; yields every iterate, one more than there are steps.

    Args:
        images: (B, 3, H, W) in [0, 1]; the sum with the change stays there.
        start: (B, 3, H, W), within the bound.
        slope: the gradient to go against.
        bound: largest change, on [0, 1]; of any shape that fits the pictures'.
        sizes: of each step, on [0, 1].
    """
    change = start
    for size in sizes:
        latents, gradient = slope(change)
        yield Iterate(change, latents)
        change = (change - size * gradient.sign()).clamp(-bound, bound)
        change = (images + change).clamp(0, 1) - images
    yield Iterate(change, None)


def falling_sizes(first: float, steps: int) -> list[float]:
    """Sizes of steps that fall linearly from ``first`` to a tenth of it."""
    return [first * (1 - 0.9 * step / steps) for step in range(steps)]
