"""Inspect: is a picture protected already?"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.detector import Detector, Inspection
from fixative.mixture import Mixture, load_mixture

from .convert import split_alpha
from .host.progress import Progress, node_id_of
from .inputs import image_input
from .schema import build
from .sockets import MIXTURE


class Inspect(io.ComfyNode):
    """Node ``FixativeInspect``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeInspect",
            display_name="Inspect (Fixative)",
            category="fixative/platform",
            description="Says how likely pictures are protected already, from the traces that "
            "protections leave. Needs no VAE. Give it pictures as they were found, not resized.",
            search_aliases=["detect", "is it protected", "detector", "poisoned", "cloaked"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: Tensor, mixture: Mixture | None = None) -> Any:
        """Look at picture by picture; a stop takes effect between two of them."""
        pictures, _ = split_alpha(image)
        wanted = mixture or load_mixture()
        detector = _shipped_detector() if mixture is None else Detector(mixture=mixture)
        progress = Progress(len(pictures), node_id_of(cls))
        found: list[Inspection] = []
        for i, picture in progress.each(list(pictures)):
            found += detector.inspect(picture[None])
            progress.done(i + 1, f"{i + 1}/{len(pictures)}: {inspection_line(found[-1])}")
        text = inspection_text(found, looked_for=wanted.name)
        facts = {"mixture": wanted.name, "pictures": [one.to_dict() for one in found]}
        return io.NodeOutput(
            text,
            json.dumps(facts, indent=1),
            [one.probability for one in found],
            [one.score for one in found],
            ui={"text": [text]},
        )


def inspection_line(found: Inspection) -> str:
    """One picture: the verdict first."""
    percent = 100 * found.probability
    told = "over 99 %" if percent > 99 else "under 1 %" if percent < 1 else f"{percent:.0f} %"
    return f"{found.verdict}: {told} (score {found.score:+.2f})"


def inspection_text(found: Sequence[Inspection], *, looked_for: str) -> str:
    """All pictures that were inspected.

    Args:
        found: at least one.
        looked_for: whose perturbations.
    """
    lines = [f"Inspected: {len(found)} picture(s), looking for {looked_for} and for any protection"]
    lines += [f"{number}: {inspection_line(one)}" for number, one in enumerate(found, start=1)]
    lines.append(
        "The chance holds where every other picture is protected. A low one is no proof: a weak "
        "or unknown protection, or a picture that was resized or saved as JPEG, may show no trace."
    )
    return "\n".join(lines)


@lru_cache(maxsize=1)
def _shipped_detector() -> Detector:
    """For the shipped mixture; what it loads stays loaded."""
    return Detector(mixture=load_mixture())


def _inputs() -> list[Any]:
    return [
        image_input("Pictures to look at, as they were found: any size, not resized."),
        build(
            MIXTURE.Input,
            "mixture",
            optional=True,
            tooltip="Whose perturbations to look for, beside what all protections leave. Without "
            "one: the shipped mixture.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="A line a picture, and what to make of it. Show it with Preview Any.",
        ),
        build(
            io.String.Output,
            "json",
            display_name="JSON",
            tooltip="Every trace of every picture.",
        ),
        build(
            io.Float.Output,
            "probability",
            display_name="probability",
            tooltip="That the picture is protected, from 0 to 1; one value a picture.",
            is_output_list=True,
        ),
        build(
            io.Float.Output,
            "score",
            display_name="score",
            tooltip="The same as log odds, to rank pictures by; one value a picture.",
            is_output_list=True,
        ),
    ]
