"""The testbed as the host's own objects: its UNet, its VAE and its conditioning."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from torch import Tensor

from fixative.codecs.families import SCALINGS
from fixative.codecs.load import DECODER_FILE, ENCODER_FILE
from fixative.errors import WeightsError
from fixative.mimicry.network import UNET
from fixative.mimicry.testbed import read_testbed
from fixative.mimicry.vocabulary import Vocabulary
from fixative.weights import load_tensors, verified_weights

FAMILY = "sd1"


class TestbedConfig(comfy.supported_models.SD15):
    """Stable Diffusion 1 as the host knows it, at the testbed's size."""

    __test__ = False  # no test, whatever pytest thinks of the name

    unet_extra_config: dict[str, Any] = {  # noqa: RUF012 - as the host declares it
        "num_heads": UNET["attention_head_dim"],
        "num_head_channels": -1,
    }

    def model_type(self, state_dict: dict[str, Tensor], prefix: str = "") -> Any:
        """Velocity, unlike Stable Diffusion 1."""
        del state_dict, prefix
        return comfy.model_base.ModelType.V_PREDICTION


def load_testbed_model(path: Path | None = None) -> tuple[Any, Vocabulary]:
    """The testbed as a MODEL of the host, and its words; the shipped one by default.

    Raises:
        WeightsError: no testbed, a damaged one, or one that this host cannot build.
    """
    tensors, vocabulary = read_testbed(path)
    with torch.inference_mode(False):  # ordinary tensors: trainers of the host take them, too
        model = _built(tensors)
    patcher = comfy.model_patcher.ModelPatcher(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    return patcher, vocabulary


def load_testbed_vae() -> Any:
    """The embedded codec as a VAE of the host, whatever files the user has under its name."""
    parts = {"taesd_encoder": ENCODER_FILE, "taesd_decoder": DECODER_FILE}
    tensors = {
        f"{part}.{key}": tensor
        for part, file in parts.items()
        for key, tensor in load_tensors(verified_weights(file)).items()
    }
    scaling = SCALINGS[FAMILY]
    tensors |= {
        "vae_scale": torch.tensor(scaling.scale),
        "vae_shift": torch.tensor(scaling.shift),
    }
    return comfy.sd.VAE(sd=tensors)


def conditioning(words: Tensor) -> list[Any]:
    """A CONDITIONING of the host from the vectors (1, T, 64) of a caption."""
    return [[words, {}]]


def is_testbed(model: Any) -> bool:
    """Whether a MODEL of the graph is the testbed, with or without something on it."""
    return isinstance(model.model.model_config, TestbedConfig)


def _built(tensors: dict[str, Tensor]) -> Any:
    config = TestbedConfig(_unet_config())
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, device=comfy.model_management.unet_offload_device())
    model.diffusion_model.load_state_dict(_host_names(tensors, config.unet_config), strict=True)
    model.requires_grad_(False)
    return model.eval()


def _host_names(tensors: dict[str, Tensor], unet_config: dict[str, Any]) -> dict[str, Tensor]:
    """Tensors by diffusers' names → by the host's."""
    names: dict[str, str] = comfy.utils.unet_to_diffusers(unet_config)
    unknown = sorted(tensors.keys() - names.keys())
    if unknown:
        raise WeightsError(f"testbed: this ComfyUI has no place for {unknown[0]}; update Fixative")
    return {names[key]: tensor for key, tensor in tensors.items()}


def _unet_config() -> dict[str, Any]:
    """diffusers' description of the network in the words of the host."""
    widths: tuple[int, ...] = UNET["block_out_channels"]
    layers = UNET["layers_per_block"]
    depths = [int(name.startswith("CrossAttn")) for name in UNET["down_block_types"]]
    return {
        "image_size": UNET["sample_size"],
        "in_channels": UNET["in_channels"],
        "out_channels": UNET["out_channels"],
        "model_channels": widths[0],
        "channel_mult": [width // widths[0] for width in widths],
        "num_res_blocks": [layers] * len(widths),
        "transformer_depth": [depth for depth in depths for _ in range(layers)],
        "transformer_depth_output": [depth for depth in depths for _ in range(layers + 1)],
        "transformer_depth_middle": 1,
        "context_dim": UNET["cross_attention_dim"],
        "use_spatial_transformer": True,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
        "use_temporal_attention": False,
        "use_checkpoint": False,
        "legacy": False,
    }
