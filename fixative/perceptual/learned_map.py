"""The shipped strength map: the network of `map_network`, small enough for every host."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fixative.errors import WeightsError
from fixative.perceptual.checks import check_pair
from fixative.perceptual.map_network import MapNetwork
from fixative.weights import load_tensors, verified_weights

WEIGHTS_FILE = "strength_map.safetensors"


class LearnedMap:
    """LPIPS-Alex's spatial map as a small network learnt it, a `VisibilityMap`.

    Args:
        path: weights of a `MapNetwork`; None takes the shipped ones, checked by their sha256.
        device: where to compute.

    Raises:
        WeightsError: missing, damaged, or weights of something else.
    """

    name = "learned"

    def __init__(self, path: Path | None = None, *, device: str | torch.device = "cpu") -> None:
        path = verified_weights(WEIGHTS_FILE) if path is None else path
        self._device = torch.device(device)
        self._network = load_map_network(path).to(self._device)

    @torch.no_grad()
    def __call__(self, before: Tensor, after: Tensor) -> Tensor:
        """Map how visible the change is.

        Pictures go through one by one: a batch gives the same bits as its pictures alone.

        Args:
            before: (B, 3, H, W) float32 RGB in [0, 1], any size.
            after: the same shape.

        Returns:
            (B, 1, H, W) float32 on the device, 0 = not visible, seldom above 1.

        Raises:
            ImageError: not pictures in [0, 1], or not of the same shape.
        """
        check_pair(before, after)
        before, after = before.to(self._device).float(), after.to(self._device).float()
        pairs = zip(before.split(1), after.split(1), strict=True)
        return torch.cat([self._network(one, other) for one, other in pairs])


def load_map_network(path: Path) -> MapNetwork:
    """Read a network for inference, strictly: every weight there, and nothing else.

    Raises:
        WeightsError: missing, damaged, or weights of something else.
    """
    network = MapNetwork()
    tensors = {key: tensor.float() for key, tensor in load_tensors(path).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(
            f"strength map: {path} is not a strength map network ({error}); install Fixative "
            "again, or train one with fixative train strength-map"
        ) from error
    return network.eval().requires_grad_(False)
