"""Refine Perturbation: a few steps of descent on the graph's VAE, from the mixture's result."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from PIL.Image import Image
from torch import Tensor

from fixative.plots import curve_picture
from fixative.protections.refine import MOST_STEPS, Refinement, RefineSettings
from fixative.steps import TargetPerturbation

from .convert import factors_to_engine, from_pil, mask_to_engine, split_alpha
from .host.gradients import borrowed_codec, out_of_memory_errors
from .host.notices import warn
from .host.progress import Progress, node_id_of
from .inputs import image_input, mask_input
from .outputs import pull_curve_output
from .report import refinement_text
from .schema import build
from .sockets import PERTURBATION

#: Drawing takes a tenth of a second: no more live curves than this in one run.
MOST_PREVIEWS = 25
#: Largest step in 1/255; the largest budget there is.
MOST_STEP_SIZE = 32.0


class RefinePerturbation(io.ComfyNode):
    """Node ``FixativeRefinePerturbation``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeRefinePerturbation",
            display_name="Refine Perturbation (Fixative)",
            category="fixative/steps",
            description="Improves the perturbation for each very picture, with some steps of "
            "gradient descent (PGD) through the VAE. Stronger within the same budget, and slower: "
            "each step sees the picture through the VAE forwards and backwards.",
            search_aliases=["PGD", "PhotoGuard", "gradient", "attack", "optimize", "protect"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        vae: Any,
        perturbation: TargetPerturbation,
        steps: int,
        step_size: float,
        map: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        """Refine picture by picture; a stop takes effect between two steps and frees the copy."""
        pictures, _ = split_alpha(image)
        settings = RefineSettings(steps, step_size)
        live = LiveCurves(Progress(len(pictures) * (steps + 1), node_id_of(cls)), settings)
        with borrowed_codec(vae) as codec:
            refined = Refinement(
                codec,
                perturbation,
                factors=None if map is None else factors_to_engine(map, pictures),
                mask=None if mask is None else mask_to_engine(mask, pictures),
                settings=settings,
                out_of_memory=out_of_memory_errors(),
                on_step=live.add,
            ).refine(pictures)
        if refined.steps_down:
            warn(". ".join(refined.steps_down), node_id=node_id_of(cls))
        curve = from_pil(draw(refined.pulls))
        return io.NodeOutput(refined.perturbation, curve, refinement_text(refined, settings))


class LiveCurves:
    """The pulls so far, shown in the node while it runs.

    Args:
        progress: of the node; it raises where the user stops.
        settings: of the refinement.
    """

    def __init__(self, progress: Progress, settings: RefineSettings) -> None:
        self._progress, self._steps = progress, settings.steps
        self._pulls: list[list[float]] = []

    def add(self, picture: int, step: int, pull: float) -> None:
        """Take in one step of one picture, and show it."""
        if step == 0:
            self._pulls.append([])
        self._pulls[picture].append(pull)
        text = f"picture {picture + 1}, step {step}/{self._steps}: pull {pull:.3f}"
        count = picture * (self._steps + 1) + step + 1
        self._progress.done(count, text, draw(self._pulls) if self._is_shown(step) else None)

    def _is_shown(self, step: int) -> bool:
        every = max(1, self._steps // MOST_PREVIEWS)
        return step > 0 and (step % every == 0 or step == self._steps)


def draw(pulls: Sequence[Sequence[float]]) -> Image:
    """The pull of each picture over the steps."""
    names = [f"picture {number}" for number in range(1, len(pulls) + 1)]
    return curve_picture(
        dict(zip(names, pulls, strict=True)),
        title="Refine Perturbation",
        y_label="pull (1 = target reached)",
    )


def _inputs() -> list[Any]:
    return [
        image_input("The very pictures that were assigned."),
        build(
            io.Vae.Input,
            "vae",
            tooltip="The VAE to descend through: the one that the pictures were assigned with. "
            "A private copy of its encoder is made for the gradients.",
        ),
        build(
            PERTURBATION.Input,
            "perturbation",
            tooltip="Where to start: from Target Perturbation. Its strength stays the budget.",
        ),
        build(
            io.Int.Input,
            "steps",
            default=10,
            min=1,
            max=MOST_STEPS,
            step=1,
            tooltip="Number of steps. The first ones gain most; the pull curve shows when more "
            "are in vain.",
        ),
        build(
            io.Float.Input,
            "step_size",
            default=2.0,
            min=0.05,
            max=MOST_STEP_SIZE,
            step=0.05,
            tooltip="How far the first step moves each colour value, in 1/255; it falls to a "
            "tenth. Larger suits few steps, smaller suits many.",
        ),
        build(
            io.Mask.Input,
            "map",
            optional=True,
            tooltip="From Adaptive Strength. Where it is below 1, the budget is smaller, too, so "
            "that what it hides stays hidden.",
        ),
        mask_input(),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            PERTURBATION.Output,
            "refined",
            display_name="perturbation",
            tooltip="For Apply Perturbation, without map and mask: they are in it already.",
        ),
        pull_curve_output(),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="Pull at start and end, how the memory was used, and every step as JSON.",
        ),
    ]
