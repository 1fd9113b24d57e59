"""The way there and back through the private copy; imported by gradient_probe.py alone."""

from __future__ import annotations

import gc
import importlib
import weakref
from typing import Any

import torch

#: Of the central difference, on [0, 1].
STEP = 1e-4


def round_trip(gradients: Any, vae: Any, planes: torch.Tensor) -> dict[str, Any]:
    """Decoding beside the host's own, and the gradient of a round trip beside its slope."""
    from fixative.errors import CodecError

    try:
        gradients.gradient_codec(vae).reconstruct(planes)
        refusal = ""
    except CodecError as error:
        refusal = str(error)
    codec = gradients.gradient_codec(vae, decoder=True)
    kept = weakref.ref(codec._module)
    result = {
        "encoder_only_says": refusal,
        "apart": gradients.gradient_codec(vae) is not codec,
        "decoder_cached": gradients.gradient_codec(vae, decoder=True) is codec,
        **_beside_the_host(codec, vae, planes),
        **_gradient(gradients, codec, planes),
        "tiles": [_tile(gradients, vae, free) for free in (0.0, 0.7e9, 1e15)],
    }
    gradients.release_codec(vae)
    del codec
    gc.collect()
    return {**result, "decoder_released": kept() is None}


def _beside_the_host(codec: Any, vae: Any, planes: torch.Tensor) -> dict[str, Any]:
    """``VAEDecode`` of the latents that ``VAEEncode`` gives, and ours of the same."""
    hosts = vae.decode(vae.encode(planes.movedim(1, -1)))
    hosts = (hosts[:, 0] if hosts.dim() == 5 else hosts).movedim(-1, 1)
    ours = codec.reconstruct(planes).detach()
    return {
        "decode_error": float((ours.clamp(0, 1) - hosts).abs().max()),
        "decode_spread": float(hosts.std()),
        "decode_shape": list(ours.shape),
    }


def _tile(gradients: Any, vae: Any, free: float) -> int:
    """The tile that is tried where a processor has so many bytes free."""
    management: Any = importlib.import_module("comfy.model_management")
    asked = management.get_free_memory
    management.get_free_memory = lambda *_: free
    try:
        return gradients.affordable_tile(vae)
    finally:
        management.get_free_memory = asked


def _gradient(gradients: Any, codec: Any, planes: torch.Tensor) -> dict[str, Any]:
    with gradients.gradients_allowed():
        smooth = torch.nn.functional.avg_pool2d(planes.clone(), 9, 1, 4, count_include_pad=False)
        picture = smooth.requires_grad_(True)

        def value(x: torch.Tensor) -> torch.Tensor:
            return (codec.reconstruct(x).double() - x.double()).square().mean()

        (gradient,) = torch.autograd.grad(value(picture), picture)
        step = gradient / gradient.abs().max() * STEP
        with torch.no_grad():
            rise = (value(picture + step) - value(picture - step)) / 2
        along = (gradient.double() * step).sum()
    return {
        "back_finite": bool(gradient.isfinite().all()),
        "back_share": float((gradient != 0).float().mean()),
        "back_slope_error": float((rise - along).abs() / along.abs()),
    }
