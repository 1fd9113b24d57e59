"""The one interface that hides every latent autoencoder."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from fixative.errors import CodecError
from fixative.images import pad_to_multiple

UNKNOWN_FAMILY = "unknown"


class Codec(ABC):
    """A latent autoencoder with deterministic encoding, for pictures of any size.

    A codec is differentiable with respect to its input unless the caller disables gradients or
    the adapter says otherwise.

    Attributes:
        name: what a person calls it (a file name, ``embedded``, the host's VAE).
        family: the latent space it belongs to (``sd1``, ``sdxl``, ``flux1``, … or ``unknown``).
        latent_channels: C of the latents.
        downscale: how many pixels a latent cell spans.
        device: where it runs.
    """

    def __init__(
        self,
        *,
        name: str,
        latent_channels: int,
        downscale: int,
        device: torch.device | str = "cpu",
        family: str = UNKNOWN_FAMILY,
    ) -> None:
        self.name = name
        self.family = family
        self.latent_channels = latent_channels
        self.downscale = downscale
        self.device = torch.device(device)

    def encode(self, images: Tensor) -> Tensor:
        """Mean latents in the model's scaled latent space.

        Args:
            images: (B, 3, H, W) in [0, 1], any size; padded by reflection to the downscale.

        Returns:
            (B, C, ⌈H/f⌉, ⌈W/f⌉) float32.
        """
        return self._encode(self._prepared(images)).float()

    def encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Latents as ``encode``, and the encoder's feature maps.

        Returns:
            The latents, and the features after down blocks 1, 2, 3 and the first middle block
            (FastProtect, multi-layer loss), each (B, C_l, H_l, W_l).

        Raises:
            CodecError: this codec shows no features.
        """
        latents, features = self._encode_with_features(self._prepared(images))
        return latents.float(), features

    def decode(self, latents: Tensor, *, size: tuple[int, int] | None = None) -> Tensor:
        """Pictures of latents.

        Args:
            latents: (B, C, h, w).
            size: (H, W) to crop to, where encoding padded.

        Returns:
            (B, 3, H, W) float32 in [0, 1].
        """
        images = self._decode(latents.to(self.device)).float().clamp(0, 1)
        return images if size is None else images[..., : size[0], : size[1]]

    def recomputable_blocks(self) -> list[nn.Module]:
        """Parts of the encoder that may run twice to save memory; none where that is unknown."""
        return []

    def reconstruct(self, images: Tensor) -> Tensor:
        """D(E(x)), not cut to [0, 1], so that gradients pass everywhere.

        Args:
            images: (B, 3, H, W) in [0, 1].

        Returns:
            (B, 3, H, W) float32, about [0, 1].

        Raises:
            CodecError: this codec has no decoder.
        """
        again = self.decode_unclamped(self.encode(images))
        return again[..., : images.shape[-2], : images.shape[-1]]

    def decode_unclamped(self, latents: Tensor) -> Tensor:
        """``decode`` without the cut to [0, 1], which would stop gradients; (B, 3, 8h, 8w).

        Raises:
            CodecError: this codec has no decoder.
        """
        return self._decode(latents.to(self.device)).float()

    def _prepared(self, images: Tensor) -> Tensor:
        return pad_to_multiple(images.to(self.device, torch.float32), self.downscale)

    @abstractmethod
    def _encode(self, images: Tensor) -> Tensor: ...

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        raise CodecError(f"codec {self.name}: shows no encoder features; use its model file")

    def _decode(self, latents: Tensor) -> Tensor:
        raise CodecError(f"codec {self.name}: has no decoder; give one that has")
