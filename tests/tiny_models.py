"""Stable Diffusion, a millionth of its size and of random weights, in every form it comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Prediction = Literal["epsilon", "sample", "v_prediction"]
#: Letters, letters that end a word, beginning and end of a caption.
LETTERS = [*"!abcdefghijklmnopqrstuvwxyz", *(f"{c}</w>" for c in "!abcdefghijklmnopqrstuvwxyz")]
VOCABULARY = {word: n for n, word in enumerate([*LETTERS, "<|startoftext|>", "<|endoftext|>"])}
#: Length of a word's vector, of the first encoder and of XL's second.
HIDDEN, HIDDEN_2 = 16, 24
#: In the layout of checkpoints of one file; the network has a layer a level.
NETWORK, TEXT = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
TEXT_XL, TEXT_2 = (
    "conditioner.embedders.0.transformer.text_model.",
    "conditioner.embedders.1.model.",
)
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTER = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
#: Of OpenCLIP, which XL's second text encoder comes from.
_OPEN = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm": "ln_final",
    "encoder.layers": "transformer.resblocks",
    "self_attn": "attn",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_MIDDLE = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}


def save_folder(folder: Path, *, extended: bool = False, predicts: Prediction = "epsilon") -> Path:
    """Write a diffusers folder of Stable Diffusion 1, or of XL."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    tiny_unet(extended=extended).save_pretrained(folder / "unet")
    DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=predicts,
    ).save_pretrained(folder / "scheduler")
    for number in range(2 if extended else 1):
        suffix = "_2" * number
        tiny_text(projected=number > 0).save_pretrained(folder / f"text_encoder{suffix}")
        save_tokenizer(folder / f"tokenizer{suffix}")
    return folder


def save_folders(place: Path) -> dict[str, Path]:
    """One of each kind: 1, 1 that predicts velocity, and XL."""
    return {
        "sd1": save_folder(place / "sd1"),
        "velocity": save_folder(place / "velocity", predicts="v_prediction"),
        "sdxl": save_folder(place / "sdxl", extended=True),
    }


def save_tokenizer(folder: Path) -> Path:
    from transformers import CLIPTokenizer

    CLIPTokenizer(vocab=VOCABULARY, merges=[], model_max_length=12).save_pretrained(folder)
    return folder


def tiny_unet(*, extended: bool = False) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    more: dict[str, Any] = {}
    if extended:
        more = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + HIDDEN_2,
        }
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=HIDDEN + HIDDEN_2 if extended else HIDDEN,
        attention_head_dim=2,
        **more,
    )


def tiny_text(*, projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(1 + projected)
    hidden = HIDDEN_2 if projected else HIDDEN
    config = CLIPTextConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=hidden,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        projection_dim=hidden,
        bos_token_id=VOCABULARY["<|startoftext|>"],
        eos_token_id=VOCABULARY["<|endoftext|>"],
        pad_token_id=VOCABULARY["<|endoftext|>"],
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def save_single_file(path: Path, folder: Path) -> Path:
    """Write what ``save_folder`` wrote as a checkpoint of one file."""
    found = {NETWORK + key: value for key, value in original_unet(folder).items()}
    extended = (folder / "text_encoder_2").is_dir()
    prefix = TEXT_XL if extended else TEXT
    for key, value in load_file(folder / "text_encoder" / "model.safetensors").items():
        found[prefix + key.removeprefix("text_model.")] = value
    found[f"{prefix}embeddings.position_ids"] = torch.arange(12)[None]  # in older files
    if extended:
        found |= original_text(folder)
    save_file(found, path)
    return path


def original_unet(folder: Path) -> dict[str, Tensor]:
    """The network's tensors by their names in the original layout."""
    tensors = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    return {_original(key): value for key, value in tensors.items()}


def original_text(folder: Path) -> dict[str, Tensor]:
    """XL's second text encoder by OpenCLIP's names, with queries, keys and values in one."""
    tensors = load_file(folder / "text_encoder_2" / "model.safetensors")
    found = {f"{TEXT_2}text_projection": tensors.pop("text_projection.weight").T.contiguous()}
    for key, value in tensors.items():
        name = key.removeprefix("text_model.")
        for ours, theirs in _OPEN.items():
            name = name.replace(ours, theirs)
        if ".q_proj." in name:
            joined = [tensors[key.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            name, value = name.replace("q_proj.", "in_proj_"), torch.cat(joined)
        if ".k_proj." not in name and ".v_proj." not in name:
            found[TEXT_2 + name] = value
    return found


def _original(key: str) -> str:
    layer, kind = key.rsplit(".", 1)
    if layer in _OUTER:
        return f"{_OUTER[layer]}.{kind}"
    part, *rest = key.split(".")
    if part == "mid_block":
        return f"middle_block.{_MIDDLE['.'.join(rest[:2])]}.{_inside(rest[0], rest[2:])}"
    level, group, number, *inner = rest
    if part == "down_blocks":
        if group == "downsamplers":
            return f"input_blocks.{2 * int(level) + 2}.0.op.{kind}"
        place = f"input_blocks.{1 + 2 * int(level) + int(number)}"
    else:
        if group == "upsamplers":  # behind the attention, where there is one
            return f"output_blocks.{2 * int(level) + 1}.1.conv.{kind}"
        place = f"output_blocks.{2 * int(level) + int(number)}"
    return f"{place}.{int(group == 'attentions')}.{_inside(group, inner)}"


def _inside(group: str, names: list[str]) -> str:
    if group == "resnets":
        return ".".join([_RESNET[names[0]], *names[1:]])
    return ".".join(names)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
