"""Checkpoints of one file, as most people have them. Nothing is downloaded.

Such a file holds no tokenizer and no configuration. The usual configurations of Stable Diffusion 1
and XL are shipped (``configs``); the tokenizer has to lie somewhere on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fixative.errors import SettingError
from fixative.mimicry.diffusers_model import Parts, TextEncoder
from fixative.mimicry.model_folder import (
    SCHEDULER,
    SECOND,
    TEXT,
    TOKENIZER,
    UNET,
    read_schedule,
    read_tokenizer,
    text_class,
)
from fixative.weights import load_tensors

#: Prefix of the network's tensors.
NETWORK = "model.diffusion_model."
#: What only XL's files have, and what attends to captions, whose length tells 1 from 2.
_XL = "conditioner.embedders.1."
_ATTENDS = ".attn2.to_k.weight"
#: Length of a caption's vectors.
_LENGTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
#: Where a tokenizer of CLIP may be that something else has put there.
_CACHED = "openai/clip-vit-large-patch14"
_CONFIGS = Path(__file__).parent / "configs"


def read_file(path: Path, config: Path | None, kind: torch.dtype) -> Parts:
    """Read a model.

    Args:
        path: a .safetensors file in the original layout, with its text encoders.
        config: a folder with its tokenizer; and of what else is not the usual, with ``unet``,
            ``text_encoder`` or ``scheduler`` as diffusers has them (only their settings).
        kind: type of its numbers.

    Raises:
        SettingError: it is of no known kind, or the tokenizer is not found.
        Exception: whatever diffusers and transformers raise of a damaged one.
    """
    from diffusers.loaders.single_file_utils import (  # noqa: PLC0415 - an extra, and slow
        create_diffusers_clip_model_from_ldm,
    )

    tensors = load_tensors(path)
    places = [place for place in (config, path.with_suffix("")) if place and place.is_dir()]
    model = kind_of(tensors, path)
    extended = model == "sdxl"
    tokenizers = _tokenizers(path, places, extended)  # before what takes long
    unet = _read_unet(tensors, _settings(UNET, places, model, path) / UNET, kind, path)
    texts: list[TextEncoder] = []
    for number, tokenizer in enumerate(tokenizers):
        name = TEXT + SECOND * number
        encoder = create_diffusers_clip_model_from_ldm(
            text_class(projected=number > 0),
            checkpoint=tensors,
            subfolder=name,
            config=str(_settings(name, places, model, path)),
            local_files_only=True,
        )
        texts.append(TextEncoder(tokenizer, _whole(encoder, name, path).to(kind)))
    schedule = read_schedule(_settings(SCHEDULER, places, model, path) / SCHEDULER)
    return Parts(unet, tuple(texts), schedule)


def kind_of(tensors: dict[str, Tensor], path: Path) -> str:
    """``sd1``, ``sd2`` or ``sdxl``; ``other`` where a configuration has to tell.

    Raises:
        SettingError: it holds no such network, or no text encoder.
    """
    lengths = [
        tensor.shape[1]
        for key, tensor in tensors.items()
        if key.startswith(NETWORK) and key.endswith(_ATTENDS)
    ]
    if not lengths:
        raise SettingError(
            f"denoiser {path.name}: holds no UNet of Stable Diffusion 1, 2 or XL in the original "
            f"layout (first tensors: {', '.join(sorted(tensors)[:3])}); give a whole checkpoint, "
            "or a diffusers folder"
        )
    if not any(key.startswith(("cond_stage_model.", "conditioner.")) for key in tensors):
        raise SettingError(
            f"denoiser {path.name}: holds the network without its text encoder; give a whole "
            "checkpoint, or a diffusers folder"
        )
    if any(key.startswith(_XL) for key in tensors):
        return "sdxl"
    return _LENGTHS.get(lengths[0], "other")


def _read_unet(tensors: dict[str, Tensor], folder: Path, kind: torch.dtype, path: Path) -> Any:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint  # noqa: PLC0415
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: PLC0415

    settings: Any = UNet2DConditionModel.load_config(folder, local_files_only=True)
    converted = convert_ldm_unet_checkpoint(tensors, settings)
    with torch.device("meta"):  # no memory for numbers that are replaced
        unet: Any = UNet2DConditionModel.from_config(settings)
    found = {key: tensor.to(kind) for key, tensor in converted.items()}
    unet.load_state_dict(found, strict=False, assign=True)
    return _whole(unet, UNET, path)


def _settings(name: str, places: list[Path], model: str, path: Path) -> Path:
    """The folder that has the settings of a part below it."""
    for place in [*places, _CONFIGS / model]:
        if (place / name).is_dir():
            return place
    raise SettingError(
        f"denoiser {path.name}: a model of its kind ({model}) comes with various settings, which "
        f"its file does not tell; give a folder with them (unet, text_encoder, scheduler and "
        f"tokenizer, as diffusers has them), or put it beside the file as {path.stem}/"
    )


def _tokenizers(path: Path, places: list[Path], extended: bool) -> list[Any]:
    """One, or XL's two, which differ in what they fill with."""
    first = _first_tokenizer(path, places)
    if not extended:
        return [first]
    for place in places:
        if (place / (TOKENIZER + SECOND)).is_dir():
            return [first, read_tokenizer(place / (TOKENIZER + SECOND))]
    second = _first_tokenizer(path, places)
    second.pad_token = "!"  # as published; it has the number 0
    return [first, second]


def _first_tokenizer(path: Path, places: list[Path]) -> Any:
    for folder in _tokenizer_folders(places):
        return read_tokenizer(folder)
    try:
        return read_tokenizer(_CACHED)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"denoiser {path.name}: a checkpoint of one file has no tokenizer, and none was found; "
            f"put one (vocab.json and merges.txt of CLIP) beside it into {path.stem}/tokenizer/. "
            "ComfyUI has it in comfy/sd1_tokenizer, a diffusers folder in tokenizer"
        ) from error


def _tokenizer_folders(places: list[Path]) -> Iterator[Path]:
    for place in places:
        for folder in (place / TOKENIZER, place):
            if (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file():
                yield folder


def _whole(module: nn.Module, name: str, path: Path) -> nn.Module:
    """The module, if every tensor of it was in the file.

    Raises:
        SettingError: one was not.
    """
    lacking = [key for key, tensor in module.state_dict().items() if tensor.is_meta]
    if lacking:
        raise SettingError(
            f"denoiser {path.name}: lacks {len(lacking)} tensors of its {name} (the first: "
            f"{lacking[0]}); give a whole checkpoint, or the settings that belong to it"
        )
    return module
