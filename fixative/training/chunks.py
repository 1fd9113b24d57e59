"""A step's batch in chunks, so that a step gives the same bits on any number of processes.

SOAP preconditions by an eigenbasis that it finds in the first step's gradient, of which most
directions are arbitrary: the matrix has rank 64 at most, of 576. The least bit of another rounding
turns all of them, and the next step goes elsewhere (four fifths of an update differ, in float64
too). Gradients that are nearly equal do not help, so they must be equal: chunks of the same crops
are computed one by one, wherever they are computed, and what they give is added up in a way that
does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fixative.training.distributed import Team
from fixative.training.loop import Losses


class ChunkSums:
    """What the chunks of one step's batch give, added up: gradients and errors.

    Gradients are added in float64. Of float32 numbers that sum is exact, unless they are apart by
    more than 2²⁹, so that it is the same however the chunks are dealt out.

    Args:
        parameters: what is trained; their gradients are cleared.
        team: the processes that share the chunks.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], team: Team) -> None:
        self._parameters, self._team = parameters, team
        self._totals: list[Tensor | None] = [None] * len(parameters)
        self._names: list[str] = []
        self._errors: list[Tensor] = []
        self._clear()

    def take(self, loss: Tensor, errors: dict[str, Tensor], weight: float) -> None:
        """Take in one of this process's chunks.

        Args:
            loss: of which the gradient is wanted.
            errors: what to report, by name.
            weight: the chunk's share of the whole batch.
        """
        (loss * weight).backward()
        for i, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            wide, total = parameter.grad.double(), self._totals[i]
            self._totals[i] = wide if total is None else total.add_(wide)
        self._clear()
        self._names = list(errors)
        self._errors.append(torch.stack([error.detach() * weight for error in errors.values()]))

    def finish(self, chunks: int) -> Losses:
        """Give every parameter the whole batch's gradient, and return the whole batch's errors.

        Args:
            chunks: how many there are, those of the other processes included.
        """
        found = [
            (p, t) for p, t in zip(self._parameters, self._totals, strict=True) if t is not None
        ]
        sums = self._team.summed_all([total for _, total in found])
        for (parameter, _), total in zip(found, sums, strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(total)
        errors = self._team.gathered(torch.stack(self._errors), chunks).sum(0)
        return dict(zip(self._names, errors.tolist(), strict=True))

    def _clear(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def variances(maps: Sequence[Sequence[Tensor]], chunks: int, team: Team) -> list[Tensor]:
    """The variance of each map over the whole batch, as ``Tensor.var``.

    Args:
        maps: of each of this process's chunks, its maps.
        chunks: how many there are, those of the other processes included.
        team: the processes that share them.
    """
    if chunks == 1:
        return [tensor.var() for tensor in maps[0]]
    mine = torch.stack([torch.stack([_moments(tensor) for tensor in chunk]) for chunk in maps])
    counts, means, squares = team.gathered(mine, chunks).unbind(-1)
    total = counts.sum(0)
    mean = (counts * means).sum(0) / total
    spread = squares.sum(0) + (counts * (means - mean).square()).sum(0)
    return list((spread / (total - 1)).to(maps[0][0].dtype))


def _moments(tensor: Tensor) -> Tensor:
    """How many numbers, their mean, and their squared distances from it."""
    wide = tensor.double()
    mean = wide.mean()
    return torch.stack([mean.new_tensor(tensor.numel()), mean, (wide - mean).square().sum()])
