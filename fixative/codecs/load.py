"""Load a codec by name or path."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.families import SCALINGS, identify_family
from fixative.codecs.module import KLCodec
from fixative.codecs.tiny import TinyCodec, load_tiny_network
from fixative.errors import CodecError
from fixative.weights import load_tensors, verified_weights

log = logging.getLogger(__name__)

EMBEDDED = "embedded"
ENCODER_FILE = "taesd_encoder.safetensors"
DECODER_FILE = "taesd_decoder.safetensors"
#: Where a whole model keeps its autoencoder: a prefix in one file, a folder in a folder.
IN_CHECKPOINT, IN_FOLDER = "first_stage_model.", "vae"


def load_codec(source: str | Path = EMBEDDED, *, device: torch.device | str = "cpu") -> Codec:
    """Load a codec and recognise its family by fingerprint.

    Args:
        source: ``embedded`` for the shipped one; a TAESD-format ``…encoder….safetensors`` file
            (its decoder is taken from beside it where there is one); or a full AutoencoderKL,
            alone or in a whole model: a ``.safetensors`` file or a diffusers folder (needs
            ``pip install fixative[diffusers]``).
        device: where it runs.

    Raises:
        CodecError: nothing there, or not a known format.
        WeightsError: a damaged file.
    """
    if source == EMBEDDED:
        files = verified_weights(ENCODER_FILE), verified_weights(DECODER_FILE)
        codec: Codec = _tiny(*files, name=EMBEDDED, device=device)
    else:
        codec = _load_path(Path(source), device)
    codec.family = identify_family(codec).family
    if isinstance(codec, KLCodec) and codec.family in SCALINGS:
        codec.scale, codec.shift = SCALINGS[codec.family].scale, SCALINGS[codec.family].shift
    log.info("codec %s: family %s", codec.name, codec.family)
    return codec


def _load_path(path: Path, device: torch.device | str) -> Codec:
    if path.is_dir():
        inside = path / IN_FOLDER
        return _load_kl(inside if inside.is_dir() else path, None, device)
    if not path.is_file():
        raise CodecError(
            f"codec {path}: no such file; give 'embedded', a TAESD encoder file, or an "
            "AutoencoderKL file or folder"
        )
    tensors = _autoencoder_of(load_tensors(path))
    if "14.weight" in tensors and "1.conv.0.weight" in tensors:
        return _tiny(path, _decoder_beside(path), name=path.name, device=device)
    if any(key.startswith("encoder.") for key in tensors):
        return _load_kl(path, tensors, device)
    raise CodecError(
        f"codec {path.name}: neither a TAESD encoder nor an AutoencoderKL "
        f"(first keys: {', '.join(sorted(tensors)[:3])})"
    )


def _autoencoder_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A whole model's autoencoder; other tensors as they are."""
    inside = {
        key.removeprefix(IN_CHECKPOINT): tensor
        for key, tensor in tensors.items()
        if key.startswith(IN_CHECKPOINT)
    }
    return inside or tensors


def _tiny(
    encoder: Path, decoder: Path | None, *, name: str, device: torch.device | str
) -> TinyCodec:
    return TinyCodec(
        load_tiny_network(encoder),
        None if decoder is None else load_tiny_network(decoder, decoder=True),
        name=name,
        device=device,
    )


def _decoder_beside(encoder: Path) -> Path | None:
    decoder = encoder.with_name(encoder.name.replace("encoder", "decoder"))
    return decoder if decoder != encoder and decoder.is_file() else None


def _load_kl(path: Path, tensors: dict[str, Tensor] | None, device: torch.device | str) -> Codec:
    try:
        from diffusers.models.autoencoders.autoencoder_kl import (  # noqa: PLC0415 - optional
            AutoencoderKL,
        )
    except ImportError as error:
        raise CodecError(
            f"codec {path.name}: a full AutoencoderKL needs diffusers; "
            "pip install 'fixative[diffusers]'"
        ) from error
    try:
        if tensors is None:
            module = AutoencoderKL.from_pretrained(path, local_files_only=True)
        else:
            module = AutoencoderKL(**_kl_config(tensors))
            module.load_state_dict(_diffusers_keys(tensors, module))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CodecError(f"codec {path.name}: not an AutoencoderKL: {error}") from error
    return KLCodec(module, name=path.name, device=device)


def _kl_config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The settings of the SD 1 / SDXL / SD3 / FLUX autoencoders, channels read off the file."""
    names = ("encoder.down.{}.block.0", "encoder.down_blocks.{}.resnets.0")
    found = [f"{name}.conv1.weight" for name in names]
    levels = 4
    widths = tuple(
        tensors[name.format(level)].shape[0]
        for level in range(levels)
        for name in found
        if name.format(level) in tensors
    )
    return {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": widths,
        "layers_per_block": 2,
        "latent_channels": tensors["decoder.conv_in.weight"].shape[1],
        "use_quant_conv": "quant_conv.weight" in tensors,
        "use_post_quant_conv": "post_quant_conv.weight" in tensors,
    }


def _diffusers_keys(tensors: dict[str, Tensor], module: Any) -> dict[str, Tensor]:
    if any(key.startswith("encoder.down_blocks.") for key in tensors):
        return tensors
    from diffusers.loaders.single_file_utils import (  # noqa: PLC0415 - as above
        convert_ldm_vae_checkpoint,
    )

    return convert_ldm_vae_checkpoint(tensors, module.config)
