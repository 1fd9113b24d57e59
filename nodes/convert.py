"""Between the host's layouts and the engine's: called first and last in every node."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from fixative.errors import ImageError
from fixative.images import resize

#: How much the difference picture amplifies a change.
AMPLIFICATION = 10.0


def split_alpha(image: Tensor, *, name: str = "image") -> tuple[Tensor, Tensor | None]:
    """A host IMAGE as the engine's images, and its alpha apart.

    Args:
        image: (B, H, W, 3 or 4), of any float type, on any device; some nodes leave [0, 1].
        name: the input's name, for messages.

    Returns:
        (B, 3, H, W) float32 in [0, 1] on the CPU, and (B, 1, H, W) or None.

    Raises:
        ImageError: another shape.
    """
    if image.dim() != 4 or image.shape[-1] not in (3, 4):
        raise ImageError(f"{name}: expected (B, H, W, 3 or 4), got {tuple(image.shape)}")
    planes = rearrange(image.detach().cpu(), "b h w c -> b c h w").float()
    colour = planes[:, :3].clamp(0, 1).contiguous()
    return colour, planes[:, 3:] if planes.shape[1] == 4 else None


def join_alpha(images: Tensor, alpha: Tensor | None) -> Tensor:
    """(B, 3, H, W) and an alpha kept apart → a host IMAGE (B, H, W, 3 or 4)."""
    planes = images if alpha is None else torch.cat([images, alpha], 1)
    return rearrange(planes, "b c h w -> b h w c").contiguous()


def mask_to_engine(mask: Tensor, images: Tensor, *, name: str = "mask") -> Tensor:
    """A host MASK as the engine's, of the pictures' size.

    Args:
        mask: (h, w), (1, h, w) or (B, h, w); of any size.
        images: (B, 3, H, W), the pictures it belongs to.
        name: the input's name, for messages.

    Returns:
        (B, 1, H, W) float32 in [0, 1].

    Raises:
        ImageError: neither one mask nor one a picture.
    """
    return _one_each(mask, images, name).clamp(0, 1)


def _one_each(mask: Tensor, images: Tensor, name: str) -> Tensor:
    count, _, height, width = images.shape
    planes = mask[None] if mask.dim() == 2 else mask
    if planes.dim() != 3 or len(planes) not in (1, count):
        raise ImageError(
            f"{name}: expected one mask, or one for each of the {count} pictures; "
            f"got shape {tuple(mask.shape)}"
        )
    planes = rearrange(planes.detach().cpu().float(), "b h w -> b 1 h w")
    return resize(planes, height, width).expand(count, -1, -1, -1)


def masked_shares(masks: Tensor | None, count: int) -> list[float]:
    """The part of each of ``count`` pictures that the engine's masks cover, 0 to 1."""
    return [1.0] * count if masks is None else masks.flatten(1).mean(1).tolist()


def factors_to_engine(strength_map: Tensor, images: Tensor, *, name: str = "map") -> Tensor:
    """A host MASK of factors as the engine's, (B, 1, H, W) of the pictures' size.

    Args:
        strength_map: (h, w), (1, h, w) or (B, h, w); 1 = full strength; more presses harder.
        images: (B, 3, H, W), the pictures it belongs to.
        name: the input's name, for messages.

    Raises:
        ImageError: neither one map nor one a picture, or a factor below 0 or above 2.
    """
    planes = _one_each(strength_map, images, name)
    low, high = (value.item() for value in torch.aminmax(planes))
    if not (low >= 0 and high <= 2):
        raise ImageError(f"{name}: expected factors from 0 to 2, got {low:.4g} to {high:.4g}")
    return planes


def map_to_mask(strength_map: Tensor) -> Tensor:
    """(B, 1, H, W) factors → a host MASK (B, H, W); 1 = full strength, at most 1.183.

    Not cut to 1, although masks usually end there: the next step needs the factors themselves.
    """
    return rearrange(strength_map, "b 1 h w -> b h w").contiguous()


def difference_image(perturbation: Tensor) -> Tensor:
    """(B, 3, H, W) change → a host IMAGE: grey is no change, tenfold beside it."""
    return join_alpha((0.5 + AMPLIFICATION * perturbation).clamp(0, 1), None)


def to_pil(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] → a PIL picture, for previews."""
    pixels = rearrange(image * 255, "c h w -> h w c").round().to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def from_pil(picture: Image.Image) -> Tensor:
    """A PIL picture → a host IMAGE (1, H, W, 3), for plots."""
    pixels = np.array(picture.convert("RGB"))
    return torch.from_numpy(pixels)[None].float() / 255
