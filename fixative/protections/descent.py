"""Projected descent, which the methods share: signed steps (PGD, Madry et al. 2018) and Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: A change (B, 3, H, W) → the latents of the changed pictures and the loss's gradient.
Slope = Callable[[Tensor], tuple[Tensor, Tensor]]
_ADAM_MEAN, _ADAM_SQUARE, _ADAM_EPSILON = 0.9, 0.999, 1e-8


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
        change = _within(images, change - size * gradient.sign(), bound)
    yield Iterate(change, None)


def descend_by_adam(
    images: Tensor, start: Tensor, slope: Slope, *, bound: Tensor, rate: float, steps: int
) -> Iterator[Iterate]:
    """As ``descend``, by Adam (Kingma & Ba 2015, its usual constants); projected after each step.

    Args:
        images: (B, 3, H, W) in [0, 1]; the sum with the change stays there.
        start: (B, 3, H, W), within the bound.
        slope: the gradient to go against.
        bound: largest change, on [0, 1]; of any shape that fits the pictures'.
        rate: learning rate, on [0, 1].
        steps: how many.
    """
    change, mean, square = start, torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, steps + 1):
        latents, gradient = slope(change)
        yield Iterate(change, latents)
        mean = _ADAM_MEAN * mean + (1 - _ADAM_MEAN) * gradient
        square = _ADAM_SQUARE * square + (1 - _ADAM_SQUARE) * gradient.square()
        spread = (square / (1 - _ADAM_SQUARE**step)).sqrt() + _ADAM_EPSILON
        moved = change - rate * mean / (1 - _ADAM_MEAN**step) / spread
        change = _within(images, moved, bound)
    yield Iterate(change, None)


def falling_sizes(first: float, steps: int) -> list[float]:
    """Sizes of steps that fall linearly from ``first`` to a tenth of it."""
    return [first * (1 - 0.9 * step / steps) for step in range(steps)]


def _within(images: Tensor, change: Tensor, bound: Tensor) -> Tensor:
    """The change cut to the bound, and to what leaves the pictures in [0, 1]."""
    return (images + change.clamp(-bound, bound)).clamp(0, 1) - images
