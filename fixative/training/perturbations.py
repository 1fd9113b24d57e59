"""What a mixture training does to its perturbations: where they begin, and how they step."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.assignment import assign
from fixative.mixture import SIDE, Mixture


def begun_from(start: Mixture, eta: float, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The perturbations of a mixture as the beginning of another training.

    They are scaled from its η to the new one, as a protection of another strength scales them. A
    new group begins with the perturbations of the group that it lies nearest to.

    Args:
        start: a finished mixture of T targets and any number of groups.
        eta: the new η on [0, 1].
        centroids: (K, C, h, w) of the new groups.

    Returns:
        Shared (T, 3, 512, 512) and group (T, K, 3, 512, 512) perturbations, float32.
    """
    step = start.quantum * eta / start.eta
    nearest = assign(centroids, start.centroids).group.cpu()
    return start.shared.float() * step, start.group[:, nearest].float() * step


def descend(
    tensor: Tensor,
    moments: tuple[Tensor, Tensor],
    gradient: Tensor,
    window: tuple[slice, slice],
    *,
    rate: float,
    bound: float,
) -> None:
    """One Adam step (betas 0.5, 0.99) in place, on the window only.

    The memory of a pixel starts with its first gradient, which replaces bias correction.

    Args:
        tensor: (3, 512, 512), the perturbation.
        moments: mean and mean square of the gradient, each as ``tensor``.
        gradient: (3, h, w) of the window.
        window: rows and columns.
        rate: step on [0, 1].
        bound: what the perturbation stays within.
    """
    mean, square = moments
    place = (slice(None), *window)
    fresh, power = square[place] == 0, gradient.square()
    mean[place] = torch.where(fresh, gradient, mean[place].lerp(gradient, 0.5))
    square[place] = torch.where(fresh, power, square[place].lerp(power, 0.01))
    step = mean[place] / (square[place].sqrt() + 1e-12)
    tensor[place] = (tensor[place] - rate * step).clamp(-bound, bound)


def fold(gradient: Tensor, window: tuple[slice, slice], period: int) -> Tensor:
    """Average a crop's gradient (3, s, s) over the target's periods and tile it to 512."""
    canvas = torch.zeros(3, SIDE, SIDE)
    canvas[:, window[0], window[1]] = gradient
    repeats = SIDE // period
    tiles = canvas.reshape(3, repeats, period, repeats, period)
    tile = tiles.sum((1, 3)) / max(1.0, gradient[0].numel() / period**2)
    return tile.repeat(1, repeats, repeats)


def filled(group: Tensor) -> Tensor:
    """Group perturbations where a group that met no training picture gets its target's mean.

    Args:
        group: (T, K, 3, H, W); all zero where nothing was learnt.
    """
    learnt = (group != 0).flatten(2).any(2).float()
    weights = learnt / learnt.sum(1, keepdim=True).clamp_min(1)
    mean = torch.einsum("tk,tkchw->tchw", weights, group)
    return torch.where(learnt[:, :, None, None, None] > 0, group, mean[:, None])


def relative_error(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean square error of each picture as a share of the wanted map's mean square, (B,)."""
    error = (got - wanted).flatten(1).square().mean(1)
    return error / wanted.flatten(1).square().mean(1).clamp_min(1e-6)
