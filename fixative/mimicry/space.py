"""A denoiser and a codec must speak of the same latents; large latents are met in windows."""

from __future__ import annotations

from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.mimicry.denoiser import Denoiser

#: Rows and columns of a window of latents.
Window = tuple[slice, slice]


def require_same_space(denoiser: Denoiser, codec: Codec) -> None:
    """See that a denoiser works in a codec's latents.

    Raises:
        SettingError: it works in others.
    """
    if (denoiser.family, denoiser.latent_channels) == (codec.family, codec.latent_channels):
        return
    raise SettingError(
        f"denoiser {denoiser.name}: works in latents of the family {denoiser.family!r} "
        f"({denoiser.latent_channels} channels), but codec {codec.name} makes those of "
        f"{codec.family!r} ({codec.latent_channels} channels); give the VAE that belongs to the "
        "denoiser, or another denoiser"
    )


def side_of(denoiser: Denoiser, codec: Codec) -> int:
    """Side of the latents of a picture that the denoiser was trained for, in cells."""
    return max(1, denoiser.resolution // codec.downscale)


def windows(latents: Tensor, *, side: int, stride: int) -> list[Window]:
    """Squares of ``side`` cells that cover latents (…, h, w), each ``stride`` from the last.

    The last one of a row or column ends at the edge; what is smaller than a square is one window.
    """
    height, width = latents.shape[-2:]
    return [
        (slice(top, top + side), slice(left, left + side))
        for top in _starts(height, side, stride)
        for left in _starts(width, side, stride)
    ]


def _starts(length: int, side: int, stride: int) -> list[int]:
    last = max(0, length - side)
    found = list(range(0, last, stride))
    return [*found, last]
