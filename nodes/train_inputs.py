"""What Train Mixture takes and gives, as the host is told."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from fixative.mixture import SIDE
from fixative.protections.base import MAX_STRENGTH
from fixative.training.starts import AUTO, NOTHING

from .inputs import seed_input
from .schema import build
from .sockets import MIXTURE

START_FROM = (AUTO, NOTHING)
CROP_STEP = 64


def train_inputs() -> list[Any]:
    """In the order of the widgets, which never changes: append only."""
    return [*_what(), *_how(), *_optional()]


def _what() -> list[Any]:
    return [
        build(
            io.Vae.Input,
            "vae",
            tooltip="The VAE to train for: of any family, your own fine-tune too. What is trained "
            "works for every VAE of the same latent space.",
        ),
        build(
            io.String.Input,
            "name",
            default="my_mixture",
            tooltip="File name in models/fixative. Where it exists, _2, _3, … is added, unless "
            "overwrite is on.",
        ),
        build(
            io.Combo.Input,
            "start_from",
            options=list(START_FROM),
            default=AUTO,
            tooltip="auto: the mixture connected to start, or else the shipped one of the VAE's "
            "family, or else nothing. nothing: from zero, whatever is connected.",
        ),
    ]


def _how() -> list[Any]:
    return [
        _int(
            "steps",
            300,
            1,
            100_000,
            "Length of the training. Interrupted, it goes on where it "
            "stopped when you run the node again with the same settings.",
        ),
        _int(
            "groups",
            4,
            1,
            16,
            "How many kinds of pictures get perturbations of their own. Needs "
            "at least as many pictures. The start's groups are kept if it has as many.",
        ),
        _float(
            "eta",
            8.0,
            1.0,
            MAX_STRENGTH,
            0.5,
            "Largest change of a colour value that is "
            "trained for, in 1/255. Protecting scales it to the strength you set there.",
        ),
        _int(
            "crop",
            128,
            CROP_STEP,
            SIDE,
            "Side of the pieces that are learnt from, in pixels, a "
            "multiple of 64. Larger is better and slower, and needs more memory: about 12 KB a "
            "pixel, crop² × batch pixels, with a full-size VAE.",
            step=CROP_STEP,
        ),
        _int(
            "batch", 6, 1, 64, "Pieces a step. More is steadier and slower, and needs more memory."
        ),
        _float(
            "learning_rate",
            1.0,
            0.01,
            8.0,
            0.01,
            "Largest change of a colour value a step, in "
            "1/255. It rises for a moment, then falls to nothing by the last step.",
        ),
        seed_input(  # another seed at each run would never resume a training
            "Of everything random. The same seed, settings and pictures give the same mixture."
        ),
        _int(
            "most_pictures",
            350,
            1,
            10_000,
            "How many pictures are learnt from at the most. Each "
            "is looked at once before the training starts, which takes its time on a CPU; of a "
            "folder with more, some of every kind are drawn.",
        ),
        build(
            io.Boolean.Input,
            "overwrite",
            default=False,
            tooltip="Replace a mixture of that name, and drop an interrupted training of that name "
            "that had other settings.",
        ),
    ]


def _optional() -> list[Any]:
    return [
        build(
            io.Image.Input,
            "images",
            optional=True,
            tooltip="Pictures to learn from, as one batch. More kinds of pictures make a mixture "
            "that fits more pictures.",
        ),
        build(
            io.String.Input,
            "folder",
            default="",
            optional=True,
            tooltip="A folder of pictures on the computer that ComfyUI runs on: its whole path, or "
            "its name in the input folder. Its sub-folders are kinds, each drawn from in turn.",
        ),
        build(
            MIXTURE.Input,
            "start",
            optional=True,
            tooltip="A mixture of the same latent space to go on from, instead of the shipped one.",
        ),
    ]


def train_outputs() -> list[Any]:
    """Mixture, loss curve and report."""
    return [
        build(
            MIXTURE.Output,
            "trained",
            display_name="mixture",
            tooltip="The trained mixture, as it was saved.",
        ),
        build(
            io.Image.Output,
            "curve",
            display_name="loss curve",
            tooltip="How far the pictures' latents were from their targets, step by step.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="What it started from, how far it pulls pictures, and where it was saved.",
        ),
    ]


def _int(name: str, default: int, low: int, high: int, tooltip: str, *, step: int = 1) -> Any:
    bounds = {"default": default, "min": low, "max": high, "step": step}
    return build(io.Int.Input, name, **bounds, tooltip=tooltip)


def _float(name: str, default: float, low: float, high: float, step: float, tooltip: str) -> Any:
    bounds = {"default": default, "min": low, "max": high, "step": step}
    return build(io.Float.Input, name, **bounds, tooltip=tooltip)
