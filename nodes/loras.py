"""The engine's LoRAs as the host's LORA_MODEL: what its own trainer gives and SaveLoRA takes."""

from __future__ import annotations

import torch
from torch import Tensor

from fixative.mimicry.lora import Lora

#: Where the host keeps the network inside its model.
NETWORK = "diffusion_model."
_NAMES = {".lora_A.weight": ".lora_down.weight", ".lora_B.weight": ".lora_up.weight"}


def lora_model(lora: Lora) -> dict[str, Tensor]:
    """Tensors by the names that the host's loaders know, with the scale of each layer."""
    alpha = lora.settings.rank if lora.settings.alpha is None else lora.settings.alpha
    tensors: dict[str, Tensor] = {}
    for name, tensor in lora.tensors.items():
        ending = next(ending for ending in _NAMES if name.endswith(ending))
        layer = NETWORK + name.removesuffix(ending)
        tensors[layer + _NAMES[ending]] = tensor.contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(float(alpha))
    return tensors
