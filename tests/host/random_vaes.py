"""Files of random autoencoders in the real size and layout; imported by gradient_probe.py alone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

#: Autoencoders by their settings: channels of the latents, quant_conv, normalised latents.
RANDOM_KINDS = {"sd1": (4, True, False), "flux1": (16, False, False), "flux2": (32, True, True)}
RANDOM_NAMES = (*RANDOM_KINDS, "wan")
WIDTHS = {"ch": 128, "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": []}


@torch.inference_mode(False)
@torch.no_grad()
def random_file(kind: str) -> Path:
    """A file of half-precision random weights in the real size and layout, in ``models/vae``."""
    import folder_paths  # type: ignore[import-not-found]
    from safetensors.torch import save_file

    tensors = {key: _drawn(key, value) for key, value in _module(kind).state_dict().items()}
    path = Path(folder_paths.get_folder_paths("vae")[0]) / f"random_{kind}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    folder_paths.filename_list_cache.clear()
    return path


def _module(kind: str) -> Any:
    if kind == "wan":  # of any width; the host reads it off the file
        video = importlib.import_module("comfy.ldm.wan.vae")
        return video.WanVAE(dim=16, z_dim=16, temperal_downsample=[False, True, True])
    ldm = importlib.import_module("comfy.ldm.models.autoencoder")
    channels, quant, normalised = RANDOM_KINDS[kind]
    settings: dict[str, Any] = {"double_z": True, "z_channels": channels, "resolution": 256}
    settings |= {"in_channels": 3, "out_ch": 3, "dropout": 0.0, **WIDTHS}
    if quant:
        return ldm.AutoencoderKL(
            ddconfig={**settings, "batch_norm_latent": normalised}, embed_dim=channels
        )
    model = "comfy.ldm.modules.diffusionmodules.model."
    return ldm.AutoencodingEngine(
        regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
        encoder_config={"target": model + "Encoder", "params": settings},
        decoder_config={"target": model + "Decoder", "params": settings},
    )


def _drawn(key: str, like: torch.Tensor) -> torch.Tensor:
    """Weights at the size that keeps activations alive; the host's start out as torch.empty."""
    if like.dtype == torch.int64:
        return torch.zeros_like(like)
    if key.endswith("running_var"):
        return torch.full_like(like, 2.0).half()
    if like.dim() == 1:
        grows = ("norm" in key and key.endswith("weight")) or key.endswith("gamma")
        return torch.full_like(like, 1.0 if grows else 0.01).half()
    return (torch.randn(like.shape) * like[0].numel() ** -0.5).half()
