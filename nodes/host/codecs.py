"""A VAE from the graph as the engine's codec, for encoding without gradients."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import hashlib
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from fixative.codecs import (
    SCALINGS,
    UNKNOWN_FAMILY,
    CallableCodec,
    Codec,
    FamilyMatch,
    identify_family,
)
from fixative.codecs.learnt import in_learnt_space

from .. import mixtures
from .folders import mixture_files

#: Family of each VAE met so far. It does not keep a VAE alive: a codec, which would, is made anew.
_matches: WeakKeyDictionary[Any, FamilyMatch] = WeakKeyDictionary()


def codec_of(vae: Any) -> Codec:
    """The engine's view of a VAE from the graph, for encoding without gradients.

    The host's ``encode`` is used as it is: it loads, casts and offloads, and gives the mean
    latents before the model's scaling, which is added here once the family is known.
    """
    return in_learnt_space_here(_callable_codec(vae, family_of(vae).family))


def in_learnt_space_here(codec: Codec) -> Codec:
    """A codec of unknown family as one of the space that a mixture in this host has learnt."""
    if codec.family != UNKNOWN_FAMILY:
        return codec
    return in_learnt_space(codec, mixtures.learnt_spaces(mixture_files()))


def family_of(vae: Any) -> FamilyMatch:
    """How well a VAE from the graph matches the families we know; measured once a VAE."""
    match = _matches.get(vae)
    if match is None:
        match = identify_family(_callable_codec(vae))
        _matches[vae] = match
    return match


def weights_digest(vae: Any) -> str:
    """A hash of the VAE's weights, in hex: the same file in the same precision, the same hash."""
    found = hashlib.sha256()
    for name, tensor in sorted(vae.get_sd().items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        octets = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        found.update(octets.numpy().tobytes())
    return found.hexdigest()


def _callable_codec(vae: Any, family: str = "unknown") -> Codec:
    scaling = SCALINGS.get(family)
    scale, shift = (scaling.scale, scaling.shift) if scaling else (1.0, 0.0)

    def encode(images: Tensor) -> Tensor:
        return (_host_latents(vae, images.movedim(1, -1)) - shift) * scale

    return CallableCodec(
        encode,
        name="the graph's VAE",
        latent_channels=int(vae.latent_channels),
        downscale=int(vae.spacial_compression_encode()),
        family=family,
    )


def _host_latents(vae: Any, images: Tensor) -> Tensor:
    """The host's latents (B, C, h, w) of (B, H, W, 3)."""
    if vae.latent_dim != 3:
        return vae.encode(images)
    # For a video VAE a batch is one film; one by one each is a film of one picture.
    return torch.cat([vae.encode(image[None]).squeeze(2) for image in images])
