"""Inputs that several nodes have, with the same words and bounds everywhere."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from fixative.protections.base import MAX_STRENGTH

from .schema import build

TARGETS = ("auto", "low", "mid", "high")
MOST_SEED = 2**31 - 1


def image_input(tooltip: str) -> Any:
    """The pictures to work on."""
    return build(io.Image.Input, "image", tooltip=tooltip)


def vae_input() -> Any:
    """The VAE through whose eyes the pictures are seen."""
    return build(
        io.Vae.Input,
        "vae",
        tooltip="Through whose eyes the pictures are seen: the VAE of the model family to "
        "protect against (SD 1.x has a trained mixture). It decides which perturbation fits.",
    )


def strength_input() -> Any:
    """The budget in 1/255."""
    return build(
        io.Float.Input,
        "strength",
        default=8.0,
        min=0.0,
        max=MAX_STRENGTH,
        step=0.5,
        tooltip="Largest change of a colour value, in 1/255. 8 is the usual trade-off; more "
        "protects more and is seen more; 0 changes nothing. Fractions are cut to whole levels.",
    )


def target_input() -> Any:
    """Which target to aim at."""
    return build(
        io.Combo.Input,
        "target",
        options=list(TARGETS),
        default="auto",
        tooltip="The pattern that models shall see instead. auto picks it by how busy the "
        "picture is; low, mid and high name its repetition.",
    )


def mask_input() -> Any:
    """Where to protect."""
    return build(
        io.Mask.Input,
        "mask",
        optional=True,
        tooltip="Where to protect: 1 = fully, 0 = leave as it is. Resized to the pictures; one "
        "mask for all, or one each. Without a mask everything is protected.",
    )


def seed_input(tooltip: str) -> Any:
    """The seed of a node whose result should stay until the person wants another."""
    return build(
        io.Int.Input,
        "seed",
        default=0,
        min=0,
        max=MOST_SEED,
        step=1,
        control_after_generate=False,
        tooltip=tooltip,
    )
