"""Countermeasure: what pictures meet on their way, and simple attacks, one or several in a row."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from fixative.codecs import Codec
from fixative.countermeasures import (
    Countermeasure,
    PurifyStep,
    Resources,
    make_countermeasure,
)
from fixative.errors import FixativeError
from fixative.mimicry.denoiser import Denoiser

from . import methods
from .convert import join_alpha, split_alpha, to_pil
from .denoising import asked_denoiser, denoiser_inputs, lent_denoiser
from .distances import perceptual_distance
from .host.gradients import affordable_tile, borrowed_codec
from .host.progress import Progress, node_id_of
from .inputs import image_input, seed_input
from .live import PARTS, part
from .platform_report import PurifiedPicture, countermeasure_line, countermeasure_text
from .schema import build, check_choices


class CountermeasureNode(io.ComfyNode):
    """Node ``FixativeCountermeasure``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeCountermeasure",
            display_name="Countermeasure (Fixative)",
            category="fixative/platform",
            description="Does to pictures what they meet on their way (JPEG, resizing, noise, …), "
            "or what somebody does who wants a protection off. To find out what a protection "
            "withstands.",
            search_aliases=["jpeg", "noise", "robustness", "attack", "AdverseCleaner", "DiffPure"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(
        cls, kind: str | None = None, settings: str | None = None, chain: str | None = None
    ) -> bool | str:
        """Refuse what cannot be done before anything runs; None comes from another node."""
        choice = check_choices({"kind": kind}, {"kind": methods.COUNTERMEASURE_KINDS})
        if choice is not True or None in (kind, settings, chain):
            return choice
        try:
            methods.countermeasure_text(str(kind), str(settings), str(chain))
        except FixativeError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        image: Tensor,
        kind: str,
        settings: str,
        chain: str,
        seed: int,
        vae: Any = None,
        model: Any = None,
        positive: Any = None,
    ) -> Any:
        """Go picture by picture; a stop takes effect between two of them, or two steps."""
        text = methods.countermeasure_text(kind, settings, chain)
        methods.require_vae(text, vae)
        asked = asked_denoiser(methods.needing(text, "denoiser"), model, positive, vae)
        pictures, alpha = split_alpha(image)
        progress = Progress(len(pictures) * PARTS, node_id_of(cls))
        with _codec(text, vae) as codec, lent_denoiser(asked) as denoiser:
            method = _made(text, codec, denoiser, vae, seed)
            done = [
                _countered(method, picture[None], number, len(pictures), progress)
                for number, picture in progress.each(list(pictures))
            ]
        return io.NodeOutput(
            join_alpha(torch.cat([one.image for one in done]), alpha),
            countermeasure_text(done, method.describe(), seed=seed),
        )


def _countered(
    method: Countermeasure, image: Tensor, number: int, count: int, progress: Progress
) -> PurifiedPicture:
    told = f"picture {number + 1}/{count}"

    def tell(step: PurifyStep) -> None:
        text = f"{told}, step {step.step}/{step.steps}"
        progress.done(part(number, step.step, step.steps), text)

    start = time.monotonic()
    purified = method.purify(image, on_step=tell)
    one = PurifiedPicture(image, purified.image, purified.details[0], time.monotonic() - start)
    text = f"{told}: {countermeasure_line(one)}"
    progress.done((number + 1) * PARTS, text, to_pil(one.image[0]))
    return one


def _made(
    text: str, codec: Codec | None, denoiser: Denoiser | None, vae: Any, seed: int
) -> Countermeasure:
    distance = perceptual_distance() if methods.needing(text, "distance") else None
    resources = Resources(codec, distance, denoiser=denoiser)
    method = make_countermeasure(text, resources, seed=seed)
    if codec is not None:
        methods.limit_tiles(method, affordable_tile(vae))
    return method


@contextmanager
def _codec(text: str, vae: Any) -> Generator[Codec | None]:
    """What it sees through; nothing is copied for those that look through no VAE."""
    if not methods.needing(text, "codec"):
        yield None
        return
    with borrowed_codec(vae, decoder=True) as codec:
        yield codec


def _inputs() -> list[Any]:
    return [
        image_input("Pictures, of any size. A fourth channel (alpha) is kept as it is."),
        build(
            io.Combo.Input,
            "kind",
            options=list(methods.COUNTERMEASURE_KINDS),
            default="jpeg",
            tooltip="What to do. noise, jpeg, resize, crop, bits, median: what pictures meet on "
            "their way. tv, adverse: filters made against protections. roundtrip, impress: through "
            "the VAE. img2img, diffpure, gridpure: redrawn by a diffusion model.",
        ),
        build(
            io.String.Input,
            "settings",
            default="",
            tooltip="Empty = the usual ones. Otherwise a value, such as 50 for jpeg's quality, or "
            f"name=value, name=value. {methods.countermeasure_help()}",
        ),
        build(
            io.String.Input,
            "chain",
            default="",
            tooltip="Several in a row, for example jpeg:75+resize:0.5: then kind and settings do "
            "not count. Empty = the one of kind.",
        ),
        seed_input("Of everything random: noise, and the place of crop."),
        build(
            io.Vae.Input,
            "vae",
            optional=True,
            tooltip="What roundtrip, impress, img2img, diffpure and gridpure look through; with "
            "its decoder. The others need none.",
        ),
        *denoiser_inputs("img2img, diffpure and gridpure"),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.Image.Output,
            "countered",
            display_name="image",
            tooltip="The pictures afterwards, on exact 8-bit values.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="What was done, with all settings, and how much each picture changed; and the "
            "same as JSON.",
        ),
    ]
