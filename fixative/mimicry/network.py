"""The testbed's network: a UNet of Stable Diffusion 1's design, a hundredth of its size.

Unlike Stable Diffusion 1 it predicts the velocity a·noise − b·latents (Salimans & Ho 2022). Where
nearly all is noise, a network that predicts noise need only pass it on, and in a training as short
as this one it never learns what pictures look like as a whole.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fixative.errors import FixativeError

#: Side of a picture in pixels.
RESOLUTION = 256
#: Length of a word's vector (Stable Diffusion 1: 768).
CONTEXT = 64
#: What diffusers calls the parts of Stable Diffusion 1's UNet, with its three coarsest levels.
#: Attention is left out of the finest level, where it costs most. A host that knows the design
#: can build it from the same numbers.
UNET: dict[str, Any] = {
    "sample_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (32, 64, 160),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": CONTEXT,
    "attention_head_dim": 8,  # the number of heads, by diffusers' own confusion of names
}
#: Noise levels of Stable Diffusion 1.
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def build_unet() -> nn.Module:
    """An untrained network: (B, 4, h, w) latents, (B,) times and (B, T, 64) words to velocities.

    Raises:
        FixativeError: diffusers is not installed.
    """
    try:
        from diffusers.models.unets.unet_2d_condition import (  # noqa: PLC0415 - slow, and an extra
            UNet2DConditionModel,
        )
    except ImportError as error:
        raise FixativeError(
            "the mimicry testbed needs diffusers: pip install 'fixative[mimic]'"
        ) from error
    return UNet2DConditionModel(**UNET)


def signal_levels() -> Tensor:
    """ᾱ of every time, (1000,) float32: the share of the latents' variance that is left."""
    low, high = SCHEDULE["beta_start"] ** 0.5, SCHEDULE["beta_end"] ** 0.5
    betas = torch.linspace(low, high, SCHEDULE["num_train_timesteps"], dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()
