"""Adapters for networks that something else has loaded: a host's functions or its module."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fixative.codecs.base import UNKNOWN_FAMILY, Codec
from fixative.codecs.recompute import composite_blocks
from fixative.errors import CodecError

ImageFunction = Callable[[Tensor], Tensor]


class CallableCodec(Codec):
    """A codec made of functions, for hosts whose own encode is the fastest way.

    Args:
        encode: (B, 3, H, W) in [0, 1], sides multiples of ``downscale`` → scaled latents.
        decode: scaled latents → (B, 3, H, W) in [0, 1], or None.
        name: what messages call it.
        latent_channels: C of the latents.
        downscale: pixels a latent cell spans.
        family: if the host knows it; otherwise see ``identify_family``.
    """

    def __init__(
        self,
        encode: ImageFunction,
        decode: ImageFunction | None = None,
        *,
        name: str,
        latent_channels: int,
        downscale: int,
        device: torch.device | str = "cpu",
        family: str = UNKNOWN_FAMILY,
    ) -> None:
        super().__init__(
            name=name,
            latent_channels=latent_channels,
            downscale=downscale,
            device=device,
            family=family,
        )
        self._encode_function, self._decode_function = encode, decode

    def _encode(self, images: Tensor) -> Tensor:
        return self._encode_function(images)

    def _decode(self, latents: Tensor) -> Tensor:
        if self._decode_function is None:
            return super()._decode(latents)
        return self._decode_function(latents)


class KLCodec(Codec):
    """An ``AutoencoderKL`` module, of the LDM or the diffusers layout, with gradients.

    The mean is taken before any sampling: ``encoder(2x − 1)``, ``quant_conv`` if there is one,
    first half of the channels, then (mean − shift) · scale.

    Args:
        module: has ``encoder``, ``decoder`` and perhaps ``quant_conv``, ``post_quant_conv``.
        name: what messages call it.
        scale: the latent space's scaling factor.
        shift: its shift (FLUX and SD3 have one).
        family: if known.

    Raises:
        CodecError: the module has no encoder.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        scale: float = 1.0,
        shift: float = 0.0,
        device: torch.device | str = "cpu",
        family: str = UNKNOWN_FAMILY,
    ) -> None:
        if not isinstance(getattr(module, "encoder", None), nn.Module):
            raise CodecError(f"codec {name}: {type(module).__name__} has no encoder module")
        self._module: Any = module.to(device).eval().requires_grad_(False)
        self.scale, self.shift = scale, shift
        channels, downscale = _probe_shape(self._module, torch.device(device))
        super().__init__(
            name=name,
            latent_channels=channels,
            downscale=downscale,
            device=device,
            family=family,
        )

    def _encode(self, images: Tensor) -> Tensor:
        mean = _mean_latents(self._module, images)
        return (mean.float() - self.shift) * self.scale

    def recomputable_blocks(self) -> list[nn.Module]:
        return composite_blocks(self._module.encoder)

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        with recorded(feature_layers(self._module.encoder, self.name)) as features:
            latents = self._encode(images)
        return latents, features

    def _decode(self, latents: Tensor) -> Tensor:
        if getattr(self._module, "decoder", None) is None:
            return super()._decode(latents)
        latents = (latents / self.scale + self.shift).to(_dtype(self._module))
        post = getattr(self._module, "post_quant_conv", None)
        latents = latents if post is None else post(latents)
        return (self._module.decoder(latents).float() + 1) / 2


def _mean_latents(module: Any, images: Tensor) -> Tensor:
    moments = module.encoder((2 * images - 1).to(_dtype(module)))
    quant = getattr(module, "quant_conv", None)
    moments = moments if quant is None else quant(moments)
    return moments.chunk(2, 1)[0]


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


@torch.no_grad()
def _probe_shape(module: Any, device: torch.device) -> tuple[int, int]:
    """Latent channels and downscale, read off a small grey picture."""
    side = 64
    mean = _mean_latents(module, torch.full((1, 3, side, side), 0.5, device=device))
    return mean.shape[1], side // mean.shape[-1]


def feature_layers(encoder: nn.Module, name: str) -> list[nn.Module]:
    """Down blocks 1, 2, 3 and the first middle block, in the LDM or the diffusers layout."""
    down = getattr(encoder, "down", None) or getattr(encoder, "down_blocks", None)
    middle = getattr(encoder, "mid", None) or getattr(encoder, "mid_block", None)
    if down is None or middle is None:
        raise CodecError(f"codec {name}: its encoder shows no down and middle blocks")
    if hasattr(encoder, "down"):  # LDM: a level is a bag of layers, its last one halves
        levels = [getattr(level, "downsample", None) for level in down]
        first_middle = middle.block_1
    else:
        levels, first_middle = list(down), middle.resnets[0]
    blocks = [level for level in levels[:3] if isinstance(level, nn.Module)]
    return [*blocks, first_middle]


@contextmanager
def recorded(layers: list[nn.Module]) -> Generator[list[Tensor], None, None]:
    """Collect the outputs of ``layers`` in the order in which they run."""
    outputs: list[Tensor] = []

    def record(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        outputs.append(output)

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(record).remove)
        yield outputs
