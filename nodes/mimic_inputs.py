"""What LoRA Mimicry Test and Edit Test take, as the host is told."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from fixative.mimicry.lora import LoraSettings

from .mimic_windows import FITS
from .mimicking import TARGETS, USUAL_RATE
from .schema import build

MOST_SIDE, SIDE_STEP = 1024, 64


def models(positive: str) -> list[Any]:
    """Model, VAE and what is drawn."""
    return [
        build(
            io.Model.Input,
            "model",
            tooltip="The diffusion model that an imitator would use. Load Testbed gives a small "
            "one that runs anywhere. What is on it (a LoRA, say) is used, too; itself it stays as "
            "it is.",
        ),
        build(
            io.Vae.Input,
            "vae",
            tooltip="The model's own VAE: pictures are learnt from and drawn through it.",
        ),
        build(io.Conditioning.Input, "positive", tooltip=positive),
    ]


def batches(least: str) -> list[Any]:
    """The pictures before and after protecting."""
    return [
        build(
            io.Image.Input,
            "clean",
            tooltip=f"The pictures as they were, as one batch{least}.",
        ),
        build(
            io.Image.Input,
            "protected",
            tooltip="The same pictures in the same order, protected.",
        ),
    ]


def optional(negative: str) -> list[Any]:
    """What may be left out."""
    return [
        build(
            io.Image.Input,
            "purified",
            optional=True,
            tooltip="The protected pictures after a countermeasure, to see what is left of the "
            "protection.",
        ),
        build(io.Conditioning.Input, "negative", optional=True, tooltip=negative),
    ]


def training() -> list[Any]:
    """How the LoRAs are trained."""
    return [
        number("rank", LoraSettings.rank, 1, 128, "Size of each LoRA. 4 to 16 are usual."),
        number(
            "steps",
            LoraSettings.steps,
            1,
            5000,
            f"Length of each training. {LoraSettings.steps} do for the testbed; 200 to 1000 are "
            "usual for full-size models.",
        ),
        build(
            io.Float.Input,
            "learning_rate",
            default=0.0,
            min=0.0,
            max=0.1,
            step=0.00001,
            round=False,
            tooltip=f"Of AdamW. 0 = what suits the model: {LoraSettings.rate:g} for the testbed, "
            f"{USUAL_RATE:g} for full-size models.",
        ),
        number(
            "batch",
            LoraSettings.batch,
            1,
            16,
            "Pictures a step. Less needs less memory; 1 for full-size models.",
        ),
        build(
            io.Combo.Input,
            "layers",
            options=list(TARGETS),
            default=TARGETS[0],
            tooltip="What the LoRA changes. attention: as usual for full-size models. all: every "
            "linear layer and convolution. auto: attention where the model has layers of the usual "
            "names, all for the testbed and for others.",
        ),
    ]


def drawing(*, steps: int, guidance: float) -> list[Any]:
    """How pictures are drawn."""
    return [
        number("sampling_steps", steps, 1, 100, "Steps of the sampler (DDIM)."),
        build(
            io.Float.Input,
            "guidance",
            default=guidance,
            min=1.0,
            max=20.0,
            step=0.1,
            tooltip="Strength of guidance by the conditionings, as cfg in KSampler. 1 = none, as "
            "where no negative is connected.",
        ),
    ]


def fitting() -> list[Any]:
    """Which part of the pictures is used."""
    return [
        number(
            "side",
            0,
            0,
            MOST_SIDE,
            "Side in pixels of what the model gets to see. 0 = what it was made for: 256 for the "
            "testbed, 512 for SD 1.x, 1024 for others. Less needs less memory.",
            step=SIDE_STEP,
        ),
        build(
            io.Combo.Input,
            "fit",
            options=list(FITS),
            default=FITS[0],
            tooltip="window: the middle of each picture, pixel for pixel, as a trainer that cuts. "
            "whole: the largest square, resized, which weakens a protection by itself.",
        ),
    ]


def number(name: str, default: int, low: int, high: int, tooltip: str, *, step: int = 1) -> Any:
    """A whole number."""
    bounds = {"default": default, "min": low, "max": high, "step": step}
    return build(io.Int.Input, name, **bounds, tooltip=tooltip)
