"""A learned remover, in the manner of LightShed (Foerster et al., USENIX Security 2025).

A network learns from pictures before and after one tool to see what the tool adds, and takes it
off pictures that it never saw. Unlike the averaging attack it does not need the perturbations to
be shared, only to look alike from near.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.codecs.tiny import channels_last
from fixative.countermeasures.base import Need, Outcome, StepCallback
from fixative.countermeasures.remover_network import RemoverNetwork, RemoverShape
from fixative.countermeasures.tiled import TILE, TiledCountermeasure
from fixative.errors import WeightsError
from fixative.pictures.atomic import atomic_file
from fixative.weights import load_tensors, read_metadata

FORMAT = "fixative-remover-1"


@dataclass(frozen=True)
class Remover:
    """A trained network and how it was trained.

    Attributes:
        network: for inference.
        recipe: JSON types only.
        name: what messages and results call it.
    """

    network: RemoverNetwork
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    name: str = "remover"


class LearnedRemover(TiledCountermeasure):
    """Subtract the perturbation that a network sees in a picture.

    Args:
        remover: trained on pairs of the tool that protected the pictures.
        tile: side of a tile in pixels.
        out_of_memory: the exceptions that mean it.
        seed: unused, since nothing is random.
    """

    name = "remover"
    needs = Need.PAIRS
    resources = ("remover",)

    def __init__(
        self,
        remover: Remover,
        *,
        tile: int = TILE,
        out_of_memory: tuple[type[BaseException], ...] = OUT_OF_MEMORY,
        seed: int = 0,
    ) -> None:
        super().__init__(tile=tile, out_of_memory=out_of_memory, seed=seed)
        self._remover = remover

    @torch.no_grad()
    def _purify_tile(
        self, tile: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator, on_step
        device = next(self._remover.network.parameters()).device
        seen = self._remover.network(tile.to(device)).to(tile)
        return (tile - seen).clamp(0, 1), {"remover": self._remover.name}


def save_remover(
    network: RemoverNetwork, shape: RemoverShape, path: Path, recipe: Mapping[str, Any]
) -> None:
    """Write the weights as float16 with shape and recipe, whole or not at all."""
    tensors = {key: value.half().contiguous() for key, value in network.state_dict().items()}
    described = {"format": FORMAT, "shape": list(shape), "recipe": recipe}
    with atomic_file(path, overwrite=True) as partial:
        partial.write_bytes(save(tensors, {"fixative": json.dumps(described)}))


def load_remover(path: Path, *, device: str | torch.device = "cpu") -> Remover:
    """Read a file of ``save_remover``, strictly.

    Raises:
        WeightsError: not such a file, or a damaged one.
    """
    tensors = {key: tensor.float() for key, tensor in load_tensors(path).items()}
    described: dict[str, Any] = json.loads(read_metadata(path).get("fixative", "{}"))
    if described.get("format") != FORMAT:
        raise WeightsError(
            f"remover: {path.name} is not one (format {described.get('format')!r}, expected "
            f"{FORMAT!r}); make one with fixative train remover"
        )
    network = RemoverNetwork(RemoverShape(*described["shape"]))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(
            f"remover: {path.name} is damaged ({error}); make it again with fixative train remover"
        ) from error
    channels_last(network.eval().requires_grad_(False).to(device))
    return Remover(network, described["recipe"], path.name)
