"""Adapter for an autoencoder module as a host builds it: its own ways, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fixative.codecs.base import UNKNOWN_FAMILY, Codec
from fixative.codecs.families import Scaling
from fixative.codecs.module import feature_layers, recorded
from fixative.codecs.recompute import composite_blocks
from fixative.codecs.tiny import FEATURE_LAYERS
from fixative.errors import CodecError


@dataclass(frozen=True)
class HostedForm:
    """How a host's module wants its pictures and gives its latents.

    Attributes:
        latent_channels: C of the latents.
        downscale: pixels a latent cell spans.
        black: the module's value for 0.
        white: the module's value for 1.
        video: it takes (B, 3, frames, H, W); a picture is one frame.
    """

    latent_channels: int
    downscale: int
    black: float = -1.0
    white: float = 1.0
    video: bool = False


class HostedCodec(Codec):
    """A module's ``encode``, which gives mean latents before the model's scaling, as a codec.

    Its ``decode`` too, unless the module's decoder has been given up (is None).

    Covers AutoencoderKL with and without ``quant_conv``, with normalised latents (FLUX.2), the
    TAESD types and the video autoencoders, because each module knows its own way.

    Args:
        module: has ``encode``; its weights need no gradients.
        form: how it wants pictures.
        name: what messages call it.
        scaling: of the latent space; None leaves latents as the module gives them.
        prepare: called with the pictures (B, 3, H, W) before each run: to load the module.
    """

    def __init__(
        self,
        module: nn.Module,
        form: HostedForm,
        *,
        name: str,
        scaling: Scaling | None = None,
        prepare: Callable[[Tensor], None] | None = None,
        device: torch.device | str = "cpu",
        family: str = UNKNOWN_FAMILY,
    ) -> None:
        super().__init__(
            name=name,
            latent_channels=form.latent_channels,
            downscale=form.downscale,
            device=device,
            family=family,
        )
        self._module: Any = module
        self._form, self._prepare = form, prepare
        self._scaling = scaling or Scaling(1.0)

    def recomputable_blocks(self) -> list[nn.Module]:
        if self._form.video:  # they keep frames between calls: a second run would not be the same
            return []
        return composite_blocks(self._encoder())

    def _encode(self, images: Tensor) -> Tensor:
        if self._prepare is not None:
            self._prepare(images)
        black, white = self._form.black, self._form.white
        pictures = images * (white - black) + black
        if self._form.video:
            latents: Tensor = self._module.encode(pictures.unsqueeze(2)).squeeze(2)
        else:
            latents = self._module.encode(pictures)
        return (latents - self._scaling.shift) * self._scaling.scale

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        with recorded(self._feature_layers()) as features:
            latents = self._encode(images)
        return latents, features

    def _decode(self, latents: Tensor) -> Tensor:
        if not self._can_decode():
            return super()._decode(latents)
        if self._prepare is not None:
            self._prepare(self._pictures_of(latents))
        unscaled = latents / self._scaling.scale + self._scaling.shift
        if self._form.video:
            pictures = self._one_frame(self._module.decode(unscaled.unsqueeze(2)))
        else:
            pictures = self._module.decode(unscaled)
        black, white = self._form.black, self._form.white
        return (pictures - black) / (white - black)

    def _can_decode(self) -> bool:
        names = ("taesd_decoder", "decoder")
        return any(isinstance(getattr(self._module, name, None), nn.Module) for name in names)

    def _pictures_of(self, latents: Tensor) -> Tensor:
        """The shape of what latents decode to, without memory."""
        count, _, height, width = latents.shape
        f = self._form.downscale
        return torch.empty(count, 3, height * f, width * f, device="meta")

    def _one_frame(self, film: Tensor) -> Tensor:
        """(B, 3, 1, H, W) → (B, 3, H, W)."""
        if film.shape[2] != 1:
            raise CodecError(
                f"codec {self.name}: decodes one picture to {film.shape[2]} frames; give a VAE of "
                "pictures"
            )
        return film.squeeze(2)

    def _feature_layers(self) -> list[nn.Module]:
        encoder = self._encoder()
        if isinstance(encoder, nn.Sequential):
            return [encoder[index] for index in FEATURE_LAYERS]
        return feature_layers(encoder, self.name)

    def _encoder(self) -> nn.Module:
        for name in ("taesd_encoder", "encoder"):
            encoder = getattr(self._module, name, None)
            if isinstance(encoder, nn.Module):
                return encoder
        kind = type(self._module).__name__
        raise CodecError(f"codec {self.name}: {kind} has no encoder module")
