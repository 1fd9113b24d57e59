"""Latent spaces that no shipped family covers: named, normalised and found again by a probe.

Somebody's own fine-tune, or an autoencoder newer than this package, is of no known family. A
mixture trained on one keeps the latents of the probe picture; a codec that gives (nearly) the same
latents is of the same space. They are compared, not hashed: the same weights in half precision or
on another device differ in the last digits. As no scaling factor is published for such a space, its
latents are normalised so that the probe's have mean 0 and variance 1, which the entropies rely on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fixative.codecs.base import UNKNOWN_FAMILY, Codec
from fixative.codecs.families import Scaling, probe_picture

#: How the name of a learnt family begins; eight hex digits of its probe follow.
LEARNT_PREFIX = "vae-"
#: Mean squared difference of normalised probes up to which two spaces are the same one. Half
#: precision makes 1e-6, bfloat16 5e-5, a distilled copy 0.09; unrelated encoders 0.6 to 3.4.
SAME_SPACE = 0.1


class RescaledCodec(Codec):
    """Another codec with its latents shifted and scaled, as a member of a learnt family.

    Args:
        codec: what encodes and decodes.
        scaling: latents = (the codec's − shift) · scale.
        family: the learnt family.
    """

    def __init__(self, codec: Codec, scaling: Scaling, *, family: str) -> None:
        super().__init__(
            name=codec.name,
            latent_channels=codec.latent_channels,
            downscale=codec.downscale,
            device=codec.device,
            family=family,
        )
        self._codec, self._scaling = codec, scaling

    def recomputable_blocks(self) -> list[nn.Module]:
        return self._codec.recomputable_blocks()

    def _encode(self, images: Tensor) -> Tensor:
        return self._scaled(self._codec.encode(images))

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        latents, features = self._codec.encode_with_features(images)
        return self._scaled(latents), features

    def _decode(self, latents: Tensor) -> Tensor:
        return self._codec.decode_unclamped(latents / self._scaling.scale + self._scaling.shift)

    def _scaled(self, latents: Tensor) -> Tensor:
        return (latents - self._scaling.shift) * self._scaling.scale


@torch.no_grad()
def probe_latents(codec: Codec) -> Tensor:
    """The codec's latents of the probe picture, (C, 128/f, 128/f) float32 on the CPU."""
    return codec.encode(probe_picture()).cpu()[0]


def measured_scaling(probe: Tensor) -> Scaling:
    """What gives a probe's latents (C, h, w) mean 0 and variance 1."""
    return Scaling(1 / max(float(probe.std()), 1e-6), float(probe.mean()))


def normalised(probe: Tensor) -> Tensor:
    """A probe's latents (C, h, w) with mean 0 and variance 1: what mixtures keep."""
    scaling = measured_scaling(probe)
    return (probe - scaling.shift) * scaling.scale


def learnt_name(probe: Tensor) -> str:
    """A name for the space of a normalised probe (C, h, w): ``vae-`` and eight hex digits."""
    digest = hashlib.sha256(probe.half().contiguous().numpy().tobytes()).hexdigest()
    return LEARNT_PREFIX + digest[:8]


def find_learnt(probe: Tensor, learnt: Mapping[str, Tensor]) -> str:
    """The learnt family whose probe is (nearly) this one, or ``unknown``.

    Args:
        probe: (C, h, w) latents of the probe picture, normalised or not.
        learnt: normalised probes by family.
    """
    own = normalised(probe)
    gaps = {
        family: float((own - other).square().mean())
        for family, other in learnt.items()
        if other.shape == own.shape
    }
    nearest = min(gaps, key=lambda family: gaps[family], default=UNKNOWN_FAMILY)
    return nearest if gaps.get(nearest, 1.0) <= SAME_SPACE else UNKNOWN_FAMILY


def in_learnt_space(codec: Codec, learnt: Mapping[str, Tensor], *, new: bool = False) -> Codec:
    """A codec of unknown family as a member of a learnt one; any other codec as it is.

    Args:
        codec: perhaps of unknown family.
        learnt: normalised probes by family.
        new: name its space where no learnt one is the same, instead of leaving it unknown.
    """
    if codec.family != UNKNOWN_FAMILY or not (learnt or new):
        return codec
    probe = probe_latents(codec)
    family = find_learnt(probe, learnt)
    if family == UNKNOWN_FAMILY and new:
        family = learnt_name(normalised(probe))
    if family == UNKNOWN_FAMILY:
        return codec
    return RescaledCodec(codec, measured_scaling(probe), family=family)
