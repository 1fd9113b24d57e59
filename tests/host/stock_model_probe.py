"""Run by the host's own Python: a flow model as the stock loader gives it, of inference tensors."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

#: SD3's network, which the stock loader recognises at any depth.
TINY = {
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "depth": 2,
    "input_size": None,
    "adm_in_channels": 24,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": 32, "out_features": 128},
    },
    "num_patches": 256,
    "pos_embed_max_size": 16,
    "pos_embed_scaling_factor": None,
}


def stock_model(adapter: Any) -> dict[str, Any]:
    """Train a LoRA on a tiny SD3 that the host has loaded from a file."""
    from fixative.mimicry.lora import LoraSettings, applied, train_lora
    from fixative.mimicry.sampling import SampleSettings, sample

    model = _loaded()
    given = [
        [[torch.randn(1, length, 32), {"pooled_output": torch.randn(1, 24)}]] for length in (3, 5)
    ]
    weight = next(model.model.diffusion_model.parameters())
    with adapter.borrowed_denoiser(adapter.Asked(model, *given, 64)) as denoiser:
        latents, noise = torch.randn(2, 2, 16, 8, 8)
        wanted, empty = (denoiser.condition([name] * 2) for name in ("positive", ""))
        asked = LoraSettings(rank=2, steps=2, batch=2, rate=0.05)
        lora = train_lora(denoiser, latents, ["positive"] * 2, asked)
        settings = SampleSettings(2, 2.0)
        plain = sample(denoiser, noise, wanted, empty, settings)
        with applied(denoiser, lora):
            moved = sample(denoiser, noise, wanted, empty, settings)
        texts = [list(each["c_crossattn"].shape) for each in (wanted, empty)]
        kind = [denoiser.family, denoiser.latent_channels, denoiser.resolution]
    tensors = importlib.import_module("Fixative.nodes.loras").lora_model(lora)
    loaded, _ = importlib.import_module("comfy.sd").load_lora_for_models(
        model, None, tensors, 1.0, 0
    )
    return {
        "inference": weight.is_inference(),
        "kind": kind,
        "texts": texts,
        "losses": list(lora.losses),
        "moved": float((moved - plain).abs().max()),
        "layers": [len(loaded.patches), len(lora.tensors) // 2],
    }


def _loaded() -> Any:
    """Random weights through a file and the host's own loader."""
    config = importlib.import_module("comfy.supported_models").SD3(TINY)
    config.set_inference_dtype(torch.float32, None)
    network = config.get_model({}).diffusion_model
    generator = torch.Generator().manual_seed(0)
    tensors = {
        key: torch.randn(tensor.shape, generator=generator) * 0.05
        for key, tensor in network.state_dict().items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny_sd3.safetensors"
        save_file(tensors, path)
        return importlib.import_module("comfy.sd").load_diffusion_model(str(path))
