"""A private float32 copy of a host's VAE, on which a codec can rely.

A host's own is not to be used as it is: half precision gives NaN or wrong latents, weights made in
inference mode refuse gradients, and ``encode`` draws a sample or, with --medvram, is a closure that
moves other models about. So the parts are copied, without what hosts and extensions hang on them.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from fixative.codecs import KLCodec
from fixative.errors import CodecError

ENCODING, DECODING = ("encoder", "quant_conv"), ("decoder", "post_quant_conv")
#: What a person calls it.
NAME = "the loaded checkpoint's VAE"


#: What to do where it is not to be used.
ADVICE = "load another checkpoint or VAE, or choose Fixative's own VAE (embedded)"


class UnusableVaeError(CodecError):
    """The host's VAE cannot serve.

    Args:
        why: for people, without a capital and a full stop.
        advice: what they can do.
    """

    def __init__(self, why: str, advice: str = ADVICE) -> None:
        super().__init__(f"vae: {why}; {advice}")
        self.why = why


class PrivateParts(nn.Module):
    """Encoder, ``quant_conv`` and, if wanted, their counterparts: all that a KLCodec looks at.

    Args:
        original: the host's module; it is left as it is.
        decoder: copy the decoder, too.

    Raises:
        UnusableVaeError: it is not an autoencoder of pictures, or not in memory.
    """

    def __init__(self, original: nn.Module, *, decoder: bool) -> None:
        super().__init__()
        if not isinstance(getattr(original, "encoder", None), nn.Module):
            kind = type(original).__name__
            raise UnusableVaeError(f"{NAME} ({kind}) has no encoder that Fixative knows")
        for name in (*ENCODING, *DECODING):
            part = getattr(original, name, None) if decoder or name in ENCODING else None
            setattr(self, name, bare_copy(part) if isinstance(part, nn.Module) else None)

    def release(self) -> None:
        """Give the memory back, whoever still holds this."""
        for name in (*ENCODING, *DECODING):
            setattr(self, name, None)


class LoadedCodec(KLCodec):
    """A KLCodec that says so where the VAE computes no numbers."""

    def _encode(self, images: Tensor) -> Tensor:
        return _numbers(super()._encode(images))

    def _decode(self, latents: Tensor) -> Tensor:
        return _numbers(super()._decode(latents))


def bare_copy(module: nn.Module) -> nn.Module:
    """A float32 copy whose tensors autograd accepts, made outside of inference mode.

    Instance-level ``forward`` (tiling extensions) and hooks (memory management) stay behind, and
    padding of seamless textures is as it was trained.

    Raises:
        UnusableVaeError: the weights are not in memory.
    """
    if any(tensor.is_meta for tensor in module.parameters()):
        raise UnusableVaeError(f"{NAME} is not in memory now", "load the checkpoint again")
    memo: dict[int, Any] = {id(thing): thing for thing in _attachments(module)}
    with torch.inference_mode(False), torch.no_grad():
        copied = copy.deepcopy(module, memo)
        for part in copied.modules():
            _detach(part)
        return copied.float().eval().requires_grad_(False)


def _attachments(module: nn.Module) -> list[Any]:
    """What others have put on a module's parts; copying it could copy a whole model."""
    found: list[Any] = []
    for part in module.modules():
        found += [value for value in vars(part).values() if callable(value)]
        for hooks in _hooks(part):
            found += hooks.values()
    return found


def _detach(part: nn.Module) -> None:
    vars(part).pop("forward", None)
    for hooks in _hooks(part):
        hooks.clear()
    if isinstance(part, nn.Conv2d) and part.padding_mode == "circular":
        part.padding_mode = "zeros"


def _hooks(part: nn.Module) -> list[dict[int, Any]]:
    return [part._forward_pre_hooks, part._forward_hooks]


def _numbers(values: Tensor) -> Tensor:
    """The values as they are.

    Raises:
        UnusableVaeError: some are NaN or infinite.
    """
    if bool(torch.isfinite(values).all()):
        return values
    raise UnusableVaeError(f"{NAME} gives NaN instead of numbers, even in float32")
