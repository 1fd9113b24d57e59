"""A VAE from the graph with gradients: a private copy, because the host's own cannot have them.

The whole prompt runs in ``torch.inference_mode()`` and what the stock loaders load are inference
tensors, which autograd refuses. The copy is made, and used, outside that mode.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch
from torch import Tensor, nn

from fixative.codecs import SCALINGS, Codec, HostedCodec, HostedForm
from fixative.errors import CodecError

from .codecs import family_of, in_learnt_space_here

#: Memory that a pass with gradients keeps per pixel in float32: measured, with some to spare.
BYTES_PER_PIXEL = 12_500
TINY_BYTES_PER_PIXEL = 2_300
VIDEO_BYTES_PER_PIXEL = 50_000
#: A pass there and back keeps so many times as much.
BACK_FACTOR = 3
#: Of the memory that is free, how much tiles may take; and the sides that they may have.
TILE_SHARE, TILE_SIDES = 0.7, (512, 384, 256, 192, 128)

#: The copies, as long as the host keeps the VAE, with decoder or without. None holds the VAE.
_codecs: dict[bool, WeakKeyDictionary[Any, Codec]] = {
    False: WeakKeyDictionary(),
    True: WeakKeyDictionary(),
}

logger = logging.getLogger(__name__)


@contextmanager
def gradients_allowed() -> Generator[None, None, None]:
    """Inside a node: run a block as if the host had not switched gradients off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def out_of_memory_errors() -> tuple[type[BaseException], ...]:
    """What this host's devices raise when memory runs out."""
    told = comfy.model_management.OOM_EXCEPTION
    # Where the host knows no such error it names every Exception: the user's stop is one too.
    known = () if told is Exception else (told,)
    return (*known, torch.cuda.OutOfMemoryError)


def gradient_codec(vae: Any, *, decoder: bool = False) -> Codec:
    """A differentiable codec on a private float32 copy of the graph's VAE.

    Its latents are those of ``codec_of``. Use it inside ``gradients_allowed``. The copy is kept
    as long as the host keeps the VAE; see ``borrowed_codec`` and ``release_codec``.

    Args:
        vae: the graph's.
        decoder: keep the decoder, too, two thirds of the weights.

    Raises:
        CodecError: the VAE has no encoder of pictures.
    """
    codec = _codecs[decoder].get(vae)
    if codec is None:
        _require_pictures(vae)
        family = family_of(vae).family
        with gradients_allowed():
            codec = _make_codec(vae, family, decoder=decoder)
        _codecs[decoder][vae] = codec
    return in_learnt_space_here(codec)


def release_codec(vae: Any) -> None:
    """Forget the private copies, so that their memory is free again; nothing if there are none."""
    freed = [kept.pop(vae, None) for kept in _codecs.values()]
    if any(codec is not None for codec in freed):
        freed.clear()
        comfy.model_management.soft_empty_cache()


@contextmanager
def borrowed_codec(vae: Any, *, decoder: bool = False) -> Generator[Codec, None, None]:
    """``gradient_codec``, released at once where the block fails or the user stops it."""
    try:
        yield gradient_codec(vae, decoder=decoder)
    except BaseException:  # the user's stop is no Exception in newer hosts
        release_codec(vae)
        raise


def affordable_tile(vae: Any) -> int:
    """Side in pixels of the largest tile to try, with gradients there and back.

    A device that runs out of memory says so, and the next smaller is tried. Where a processor does,
    the system ends the whole host: there it depends on the memory that is free.
    """
    if vae.device.type != "cpu":
        return TILE_SIDES[0]
    each = _bytes_per_pixel(vae.first_stage_model, _form_of(vae)) * BACK_FACTOR
    free = comfy.model_management.get_free_memory(vae.device) * TILE_SHARE
    return next((side for side in TILE_SIDES if side * side * each <= free), TILE_SIDES[-1])


def _make_codec(vae: Any, family: str, *, decoder: bool) -> Codec:
    form = _form_of(vae)
    module = _private_module(vae).eval().requires_grad_(False)
    if not (form.video or decoder):  # videos' look at their decoder while they encode
        _drop_decoder(module)
    patcher = comfy.model_patcher.ModelPatcher(
        module, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    per_pixel = _bytes_per_pixel(module, form) * (BACK_FACTOR if decoder else 1)
    return HostedCodec(
        module,
        form,
        name="the graph's VAE",
        scaling=SCALINGS.get(family),
        prepare=_loader(patcher, per_pixel),
        device=vae.device,
        family=family,
    )


def _private_module(vae: Any) -> nn.Module:
    """A float32 copy whose tensors autograd accepts: built anew, or copied where that fails."""
    original: nn.Module = vae.first_stage_model
    tensors = {key: tensor.detach().clone() for key, tensor in vae.get_sd().items()}
    try:
        rebuilt = comfy.sd.VAE(sd=tensors, device=vae.device, dtype=torch.float32)
        if _layout(rebuilt.first_stage_model) == _layout(original):
            return rebuilt.first_stage_model
        logger.info("Fixative: rebuilt VAE differs in its layers; copying it instead")
    except (RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
        logger.info("Fixative: VAE cannot be rebuilt (%s); copying it instead", error)
    offload = comfy.model_management.vae_offload_device()
    return copy.deepcopy(original).to(offload, torch.float32)


def _layout(module: nn.Module | None) -> dict[str, torch.Size]:
    """Shapes by name; equal ones mean that every tensor found its place."""
    return {} if module is None else {k: v.shape for k, v in module.state_dict().items()}


def _drop_decoder(module: nn.Module) -> None:
    """Give up the decoder, where nothing needs it."""
    for name in ("decoder", "taesd_decoder"):
        if isinstance(getattr(module, name, None), nn.Module):
            setattr(module, name, None)


def _form_of(vae: Any) -> HostedForm:
    # Its two ends tell the way from [0, 1]; keeping the function could keep the VAE alive.
    black, white = vae.process_input(torch.tensor([0.0, 1.0])).tolist()
    return HostedForm(
        latent_channels=int(vae.latent_channels),
        downscale=int(vae.spacial_compression_encode()),
        black=black,
        white=white,
        video=vae.latent_dim == 3,
    )


def _bytes_per_pixel(module: nn.Module, form: HostedForm) -> int:
    if form.video:
        return VIDEO_BYTES_PER_PIXEL
    return TINY_BYTES_PER_PIXEL if hasattr(module, "taesd_encoder") else BYTES_PER_PIXEL


def _loader(patcher: Any, bytes_per_pixel: int) -> Callable[[Tensor], None]:
    """What makes room for a run and puts the copy where it runs, by the host's own management."""

    def load(images: Tensor) -> None:
        pixels = images.shape[0] * images.shape[-2] * images.shape[-1]
        with gradients_allowed():  # weights moved in inference mode would become unusable
            comfy.model_management.load_models_gpu(
                [patcher], memory_required=pixels * bytes_per_pixel, force_full_load=True
            )

    return load


def _require_pictures(vae: Any) -> None:
    if vae.first_stage_model is None:
        raise CodecError("vae: it is empty; the checkpoint it comes from has none. Load another")
    if vae.latent_dim not in (2, 3) or int(vae.spacial_compression_encode()) == 1:
        raise CodecError(
            "vae: pixel_space and the VAEs of sound have no encoder of pictures; connect the VAE "
            "of the model family to protect against"
        )
