"""Measures of how far a picture moved: in latent space, and to the eye."""

from __future__ import annotations

import torch
from torch import Tensor


def pull(protected: Tensor, original: Tensor, target: Tensor) -> Tensor:
    """How much of the way to the target the latents went.

    1 − ‖E(x̂) − z_y‖² / ‖E(x) − z_y‖²: 1 = reached, 0 = no effect, below 0 = pushed away.

    Args:
        protected: (B, C, h, w) latents of the protected pictures.
        original: likewise of the originals.
        target: (B or 1, C, h, w) latents of the targets.

    Returns:
        (B,) float32.
    """
    left = (protected - target).flatten(1).double().square().sum(1)
    before = (original - target).flatten(1).double().square().sum(1)
    return (1 - left / before).float()


def shift(protected: Tensor, original: Tensor) -> Tensor:
    """‖E(x̂) − E(x)‖² relative to ‖E(x) − mean‖²; (B, C, h, w) twice → (B,)."""
    moved = (protected - original).flatten(1).double().square().sum(1)
    spread = original - original.mean((2, 3), keepdim=True)
    return (moved / spread.flatten(1).double().square().sum(1)).float()


def psnr(images: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of (B, C, H, W) in [0, 1], (B,); infinite if equal."""
    error = (images - reference).flatten(1).double().square().mean(1)
    return (-10 * torch.log10(error)).float()
