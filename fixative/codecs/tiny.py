"""Tiny autoencoder in the TAESD file format (encoder and decoder as two flat Sequentials).

The layout (layer order, widths, bias-free resampling convolutions) follows the published TAESD
format so that a host's stock loader accepts our files, and we accept the public ones: keys are
``0.weight``, ``1.conv.0.weight``, … Images are in [0, 1], latents already have about unit variance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from fixative.codecs.base import Codec
from fixative.codecs.recompute import composite_blocks
from fixative.errors import CodecError
from fixative.weights import load_tensors

#: Channels of every layer in the published files; others load too, for smaller students.
WIDTH = 64
DOWNSCALE = 8
#: Encoder layers that end stages 1 to 3 (after each halving) and the first block at full depth:
#: the counterparts of FastProtect's "down blocks 1, 2, 3 and the first middle block".
FEATURE_LAYERS = (2, 6, 10, 11)

Network = TypeVar("Network", bound=nn.Module)


class Block(nn.Module):
    """Three 3×3 convolutions with a skip connection, ReLU after the sum."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(width, width),
            nn.ReLU(),
            _conv(width, width),
            nn.ReLU(),
            _conv(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


class SoftClamp(nn.Module):
    """Keep latents within ±3, smoothly."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def tiny_encoder(latent_channels: int = 4, width: int = WIDTH) -> nn.Sequential:
    """Build the encoder: (B, 3, H, W) in [0, 1] → (B, latent_channels, H/8, W/8)."""
    layers: list[nn.Module] = [_conv(3, width), Block(width)]
    for _ in range(3):
        layers.append(_conv(width, width, stride=2, bias=False))
        layers += [Block(width), Block(width), Block(width)]
    return nn.Sequential(*layers, _conv(width, latent_channels))


def tiny_decoder(latent_channels: int = 4, width: int = WIDTH) -> nn.Sequential:
    """Build the decoder: (B, latent_channels, h, w) → (B, 3, 8h, 8w), about [0, 1]."""
    layers: list[nn.Module] = [SoftClamp(), _conv(latent_channels, width), nn.ReLU()]
    for _ in range(3):
        layers += [Block(width), Block(width), Block(width), nn.Upsample(scale_factor=2)]
        layers += [_conv(width, width, bias=False)]
    return nn.Sequential(*layers, Block(width), _conv(width, 3))


class TinyCodec(Codec):
    """A TAESD-format autoencoder (float32, channels-last).

    Args:
        encoder: from ``tiny_encoder``.
        decoder: from ``tiny_decoder``, or None if only encoding is needed.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential | None = None,
        *,
        name: str,
        device: torch.device | str = "cpu",
    ) -> None:
        last = encoder[-1]
        assert isinstance(last, nn.Conv2d)
        super().__init__(
            name=name, latent_channels=last.out_channels, downscale=DOWNSCALE, device=device
        )
        self._encoder = frozen(encoder, self.device)
        self._decoder = None if decoder is None else frozen(decoder, self.device)

    def recomputable_blocks(self) -> list[nn.Module]:
        return composite_blocks(self._encoder)

    def _encode(self, images: Tensor) -> Tensor:
        return self._encoder(images.contiguous(memory_format=torch.channels_last))

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = images.contiguous(memory_format=torch.channels_last)
        features: list[Tensor] = []
        for index, layer in enumerate(self._encoder):
            x = layer(x)
            if index in FEATURE_LAYERS:
                features.append(x)
        return x, features

    def _decode(self, latents: Tensor) -> Tensor:
        return super()._decode(latents) if self._decoder is None else self._decoder(latents)


def load_tiny_network(path: Path, *, decoder: bool = False) -> nn.Sequential:
    """Load one half of a TAESD-format pair, strictly, as float32.

    Raises:
        CodecError: the keys or shapes are not this format's.
    """
    tensors = load_tensors(path)
    key = "1.weight" if decoder else "14.weight"
    kind = "decoder" if decoder else "encoder"
    if key not in tensors or tensors[key].dim() != 4:
        raise CodecError(f"codec {path.name}: not a TAESD-format {kind} (no kernel {key!r})")
    shape = tensors[key].shape
    network = tiny_decoder(shape[1], shape[0]) if decoder else tiny_encoder(shape[0], shape[1])
    try:
        network.load_state_dict({k: v.float() for k, v in tensors.items()})
    except RuntimeError as error:
        raise CodecError(f"codec {path.name}: not a TAESD-format {kind}: {error}") from error
    return network


def frozen(network: nn.Sequential, device: torch.device | str = "cpu") -> nn.Sequential:
    """Ready to run only: no gradients to weights, and the memory layout that is fastest."""
    return channels_last(network.eval().requires_grad_(False).to(device))


def channels_last(network: Network) -> Network:
    """Lay the kernels out as (out, H, W, in), which nearly halves the time on a CPU."""
    anything: Any = network  # torch's annotations lack this form of ``to``
    return anything.to(memory_format=torch.channels_last)


def _conv(inside: int, outside: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=bias)
