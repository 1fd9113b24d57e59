"""Adaptive Strength and Apply Perturbation: where to press, and the sum within its budget."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.images import resize
from fixative.perceptual import VISIBILITY_MAPS
from fixative.steps import PerturbationApplied, TargetPerturbation, strength_factors

from .convert import (
    difference_image,
    factors_to_engine,
    join_alpha,
    map_to_mask,
    mask_to_engine,
    masked_shares,
    split_alpha,
)
from .host.notices import warn
from .host.progress import Progress, node_id_of, say
from .inputs import image_input, mask_input
from .outputs import difference_output, protected_output, report_output
from .report import report_text, urgent
from .schema import build, check_choices
from .sockets import PERTURBATION
from .visibility import visibility_map

CATEGORY = "fixative/steps"


class AdaptiveStrength(io.ComfyNode):
    """Node ``FixativeAdaptiveStrength``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeAdaptiveStrength",
            display_name="Adaptive Strength (Fixative)",
            category=CATEGORY,
            description="Finds where the change would be seen least, and presses harder there.",
            inputs=[
                image_input("The pictures that the perturbation is for."),
                build(PERTURBATION.Input, "perturbation", tooltip="From Target Perturbation."),
                build(
                    io.Combo.Input,
                    "visibility",
                    options=list(VISIBILITY_MAPS),
                    default="learned",
                    tooltip="What judges how visible a change is. learned: fast, built in. lpips: "
                    "the reference, needs the lpips package.",
                ),
            ],
            outputs=[
                build(
                    io.Mask.Output,
                    "map",
                    display_name="strength map",
                    tooltip="Factors on the perturbation: 0.91, or 1.18 where it is seen least. "
                    "Any mask may stand in for it; 1 = full strength, 0 = none.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, visibility: str | None = None) -> bool | str:
        """Refuse a choice that is not offered."""
        return check_choices({"visibility": visibility}, {"visibility": VISIBILITY_MAPS})

    @classmethod
    def execute(cls, image: Tensor, perturbation: TargetPerturbation, visibility: str) -> Any:
        """One pass of the map a picture."""
        pictures, _ = split_alpha(image)
        progress = Progress(len(pictures), node_id_of(cls))
        factors = strength_factors(
            pictures,
            perturbation,
            visibility_map(visibility),
            on_picture=lambda count: progress.done(count, f"{count}/{len(pictures)} mapped"),
        )
        return io.NodeOutput(map_to_mask(resize(factors, *pictures.shape[-2:])))


class ApplyPerturbation(io.ComfyNode):
    """Node ``FixativeApplyPerturbation``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeApplyPerturbation",
            display_name="Apply Perturbation (Fixative)",
            category=CATEGORY,
            description="Adds a perturbation to the pictures, within its budget after rounding to "
            "8 bits. Put it last, right before saving.",
            inputs=[
                image_input("The very pictures that were assigned. Alpha is kept as it is."),
                build(
                    PERTURBATION.Input,
                    "perturbation",
                    tooltip="From Target Perturbation or Refine Perturbation.",
                ),
                build(
                    io.Mask.Input,
                    "map",
                    optional=True,
                    tooltip="From Adaptive Strength: factors on the perturbation. Leave it open "
                    "after Refine Perturbation, which has it in already.",
                ),
                mask_input(),
            ],
            outputs=[protected_output(), difference_output(), report_output()],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        perturbation: TargetPerturbation,
        map: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        """Add and report."""
        pictures, alpha = split_alpha(image)
        factors = None if map is None else factors_to_engine(map, pictures)
        masks = None if mask is None else mask_to_engine(mask, pictures)
        done = PerturbationApplied(perturbation, factors).protect(pictures, mask=masks)
        shares = masked_shares(masks, len(pictures))
        text = report_text(done.reports, shares=shares)
        say(text.split("\n\n")[0], node_id_of(cls))
        warn(urgent(done.reports, shares), node_id=node_id_of(cls))
        return io.NodeOutput(
            join_alpha(done.image, alpha), difference_image(done.perturbation), text
        )
