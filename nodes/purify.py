"""Purify (IMPRESS): take a protection off again, with nothing but the graph's VAE."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import time
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from fixative.countermeasures import PRESETS, Impress, PurifyStep
from fixative.countermeasures.impress import MOST_STEPS

from . import distances
from .convert import from_pil, join_alpha, split_alpha
from .host.gradients import affordable_tile, borrowed_codec, out_of_memory_errors
from .host.progress import Progress, node_id_of
from .inputs import image_input, seed_input
from .live import PARTS, LiveCurves, draw_curves
from .platform_report import PurifiedPicture, purified_line, purified_text
from .schema import build, check_choices

FAST = "fast"
TITLE, LABEL = "Purify (IMPRESS)", "loss"


class Purify(io.ComfyNode):
    """Node ``FixativePurify``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativePurify",
            display_name="Purify (IMPRESS) (Fixative)",
            category="fixative/platform",
            description="Tries to take a protection off, with nothing but the VAE (IMPRESS, "
            "NeurIPS 2023): looks for the nearest picture that the VAE reproduces. To find out "
            "what a protection withstands, on pictures of your own.",
            search_aliases=["IMPRESS", "purification", "remove protection", "attack", "robustness"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, preset: str | None = None, distance: str | None = None) -> bool | str:
        """Refuse a choice that is not offered; None comes from another node."""
        given = {"preset": preset, "distance": distance}
        return check_choices(given, {"preset": tuple(PRESETS), "distance": distances.CHOICES})

    @classmethod
    def execute(
        cls, image: Tensor, vae: Any, preset: str, iterations: int, seed: int, distance: str
    ) -> Any:
        """Purify picture by picture; a stop takes effect between two steps and frees the copy."""
        pictures, alpha = split_alpha(image)
        measure = distances.perceptual_distance(distance)
        progress = Progress(len(pictures) * PARTS, node_id_of(cls))
        live = LiveCurves(progress.done, len(pictures), title=TITLE, label=LABEL)
        with borrowed_codec(vae, decoder=True) as codec:
            method = Impress(
                codec,
                measure,
                preset=preset,
                steps=iterations,
                tile=affordable_tile(vae),
                out_of_memory=out_of_memory_errors(),
                seed=seed,
            )
            done = [_purified(method, picture[None], live) for picture in pictures]
        return io.NodeOutput(
            join_alpha(torch.cat([one.image for one in done]), alpha),
            from_pil(draw_curves([one.curve for one in done], title=TITLE, label=LABEL)),
            purified_text(done, method, family=codec.family),
        )


def _purified(method: Impress, image: Tensor, live: LiveCurves) -> PurifiedPicture:
    def tell(step: PurifyStep) -> None:
        losses = step.losses
        parts = (f"{name} {losses[name]:.4f}" for name in ("loss", "consistency", "distance"))
        live.add(step.step, step.steps, losses["loss"], ", ".join(parts), step.image)

    live.begin()
    start = time.monotonic()
    purified = method.purify(image, on_step=tell)
    seconds = time.monotonic() - start
    one = PurifiedPicture(image, purified.image, purified.details[0], seconds)
    live.end(purified_line(one), purified.image)
    return one


def _inputs() -> list[Any]:
    return [
        image_input("Pictures to purify, of any size. A fourth channel (alpha) is kept as it is."),
        build(
            io.Vae.Input,
            "vae",
            tooltip="The VAE to purify with: an attacker takes the one of the model to train. It "
            "needs its decoder; a private copy is made for the gradients.",
        ),
        build(
            io.Combo.Input,
            "preset",
            options=list(PRESETS),
            default=FAST,
            tooltip="photoguard and glaze: as published against these, 1000 and 3000 steps. fast: "
            "the same aim from a better start, at most 116 steps, ends where nothing improves.",
        ),
        build(
            io.Int.Input,
            "iterations",
            default=0,
            min=0,
            max=MOST_STEPS,
            step=1,
            tooltip="Number of steps at most. 0 = as the preset says.",
        ),
        seed_input("Of the noise that the published presets start from; fast needs none."),
        build(
            io.Combo.Input,
            "distance",
            options=list(distances.CHOICES),
            default=distances.CHOICES[0],
            tooltip="What keeps the picture looking the same. best: the first of lpips-vgg (as "
            "published), lpips-alex and learned (built in) that is there without a download.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.Image.Output,
            "purified",
            display_name="image",
            tooltip="The purified pictures, on exact 8-bit values.",
        ),
        build(
            io.Image.Output,
            "curve",
            display_name="loss curve",
            tooltip="What is minimised, step by step, a curve a picture.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="Which distance, how many steps and tiles, the losses at start and end, and "
            "the curve as JSON.",
        ),
    ]
