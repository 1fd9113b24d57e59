"""Models as diffusers keeps them: a folder with a folder for each part. Nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from fixative.errors import SettingError
from fixative.mimicry.diffusers_model import (
    NOISE,
    VELOCITY,
    Parts,
    Schedule,
    TextEncoder,
    is_extended,
)

UNET, SCHEDULER, TEXT, TOKENIZER = "unet", "scheduler", "text_encoder", "tokenizer"
#: What XL's second parts have behind their names.
SECOND = "_2"
#: Settings of a scheduler that say what its times are.
_TIMES = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
)


def read_folder(folder: Path, kind: torch.dtype) -> Parts:
    """Read a model.

    Args:
        folder: with unet, scheduler, text_encoder and tokenizer, and XL's second ones.
        kind: type of its numbers.

    Raises:
        SettingError: one of them is missing, or predicts what is not known here.
        Exception: whatever diffusers and transformers raise of a damaged one.
    """
    from diffusers.models.unets.unet_2d_condition import (  # noqa: PLC0415 - an extra, and slow
        UNet2DConditionModel,
    )

    require_parts(folder, UNET, SCHEDULER, TEXT, TOKENIZER)
    unet: Any = UNet2DConditionModel.from_pretrained(
        folder / UNET, torch_dtype=kind, local_files_only=True, use_safetensors=True
    )
    names = [(TEXT, TOKENIZER)]
    if is_extended(unet.config):
        names.append((TEXT + SECOND, TOKENIZER + SECOND))
        require_parts(folder, *names[1])
    texts = tuple(
        _read_text(folder / text, folder / tokenizer, kind, projected=number > 0)
        for number, (text, tokenizer) in enumerate(names)
    )
    return Parts(unet, texts, read_schedule(folder / SCHEDULER))


def require_parts(folder: Path, *names: str) -> None:
    """Raise SettingError unless all of these folders are there."""
    missing = [name for name in names if not (folder / name).is_dir()]
    if missing:
        raise SettingError(
            f"denoiser {folder.name}: is no folder of Stable Diffusion 1, 2 or XL: it lacks "
            f"{', '.join(missing)}; expected a diffusers folder with all parts"
        )


def read_schedule(folder: Path) -> Schedule:
    """What the times of a model are, from its scheduler's settings.

    Raises:
        SettingError: it predicts something else than noise or velocity.
        Exception: whatever diffusers raises of a damaged one.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler  # noqa: PLC0415 - an extra

    settings: dict[str, Any] = json.loads((folder / "scheduler_config.json").read_text("utf-8"))
    predicts = str(settings.get("prediction_type", NOISE))
    if predicts not in (NOISE, VELOCITY):
        raise SettingError(
            f"denoiser: its network predicts {predicts!r}; expected {NOISE} or {VELOCITY}"
        )
    times = {name: settings[name] for name in _TIMES if settings.get(name) is not None}
    return Schedule(DDIMScheduler(**times).alphas_cumprod.float(), predicts)


def read_tokenizer(folder: Path | str) -> Any:
    """A tokenizer of CLIP's kind, from a folder or, by name, from the machine's own store."""
    from transformers import CLIPTokenizer  # noqa: PLC0415 - an extra, and slow

    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def text_class(*, projected: bool) -> Any:
    """The class of a text encoder; XL's second one projects its pooled caption."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection  # noqa: PLC0415

    return CLIPTextModelWithProjection if projected else CLIPTextModel


def _read_text(
    encoder: Path, tokenizer: Path, kind: torch.dtype, *, projected: bool
) -> TextEncoder:
    found = text_class(projected=projected).from_pretrained(
        encoder, dtype=kind, local_files_only=True, use_safetensors=True
    )
    return TextEncoder(read_tokenizer(tokenizer), found)
