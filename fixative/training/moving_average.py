"""The moving average of a network's weights, kept beside the weights that are trained."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from fixative.errors import SettingError

Network = TypeVar("Network", bound=nn.Module)


class MovingAverage(Generic[Network]):
    """Weights averaged over the steps, which is what a training then ships.

    Args:
        network: what is trained; averaged are its parameters.
        keep: how much of the average a step keeps, 0 to below 1; it warms up over the first steps.
            0 keeps no average: the network itself is the result.

    Raises:
        SettingError: ``keep`` is out of its range.
    """

    def __init__(self, network: Network, keep: float) -> None:
        if not 0 <= keep < 1:
            raise SettingError(f"average: expected 0 (none) to below 1, got {keep}")
        self._network, self._keep = network, keep
        self._averaged = copy.deepcopy(network).requires_grad_(False) if keep else None

    @property
    def result(self) -> Network:
        """The averaged network, or the network itself where no average is kept."""
        return self._network if self._averaged is None else self._averaged

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step ``step``, counted from 0."""
        if self._averaged is None:
            return
        keep = min(self._keep, (step + 1) / (step + 10))
        pairs = zip(self._averaged.parameters(), self._network.parameters(), strict=True)
        for averaged, parameter in pairs:
            averaged.lerp_(parameter, 1 - keep)

    def state(self) -> dict[str, Any]:
        """What a checkpoint adds: nothing where no average is kept."""
        return {} if self._averaged is None else {"averaged": self._averaged.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint of a training that keeps an average too, or neither."""
        if self._averaged is not None:
            self._averaged.load_state_dict(state["averaged"])
