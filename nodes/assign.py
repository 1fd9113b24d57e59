"""Assign Mixture and Target Perturbation: which perturbation fits each picture, and how strong."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.mixture import Mixture
from fixative.steps import AssignedPictures, assign_pictures, target_perturbation

from .convert import difference_image, split_alpha
from .host.codecs import codec_of
from .host.progress import Progress, node_id_of, say
from .inputs import TARGETS, image_input, strength_input, target_input, vae_input
from .report import assignment_text
from .schema import build, check_choices
from .sockets import ASSIGNMENT, MIXTURE, PERTURBATION

CATEGORY = "fixative/steps"


class AssignMixture(io.ComfyNode):
    """Node ``FixativeAssignMixture``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeAssignMixture",
            display_name="Assign Mixture (Fixative)",
            category=CATEGORY,
            description="Sees each picture through the VAE and picks the group of perturbations "
            "and the target that fit it.",
            inputs=[
                image_input("Pictures to protect."),
                vae_input(),
                build(MIXTURE.Input, "mixture", tooltip="From Load Mixture or Train Mixture."),
                target_input(),
            ],
            outputs=[
                build(
                    ASSIGNMENT.Output,
                    "assignment",
                    display_name="assignment",
                    tooltip="Group, distances, target and entropies of each picture.",
                ),
                build(
                    io.String.Output,
                    "report",
                    display_name="report",
                    tooltip="The same as text, with everything as JSON below.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, target: str | None = None) -> bool | str:
        """Refuse a choice that is not offered."""
        return check_choices({"target": target}, {"target": TARGETS})

    @classmethod
    def execute(cls, image: Tensor, vae: Any, mixture: Mixture, target: str) -> Any:
        """Encode each picture once; a stop takes effect between two of them."""
        pictures, _ = split_alpha(image)
        progress = Progress(len(pictures), node_id_of(cls))
        assigned = assign_pictures(
            pictures,
            codec_of(vae),
            mixture,
            target=target,
            on_picture=lambda count: progress.done(count, f"{count}/{len(pictures)} encoded"),
        )
        text = assignment_text(assigned)
        say(text.split("\n\n")[0], node_id_of(cls))
        return io.NodeOutput(assigned, text)


class TargetPerturbationNode(io.ComfyNode):
    """Node ``FixativeTargetPerturbation``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeTargetPerturbation",
            display_name="Target Perturbation (Fixative)",
            category=CATEGORY,
            description="Takes the perturbation of each picture's group and target, at a strength.",
            inputs=[
                build(ASSIGNMENT.Input, "assignment", tooltip="From Assign Mixture."),
                build(
                    MIXTURE.Input,
                    "mixture",
                    tooltip="The very mixture that the pictures were assigned with.",
                ),
                strength_input(),
            ],
            outputs=[
                build(
                    PERTURBATION.Output,
                    "perturbation",
                    display_name="perturbation",
                    tooltip="What will be added, 512 × 512, before strength map and mask.",
                ),
                build(
                    io.Image.Output,
                    "preview",
                    display_name="preview ×10",
                    tooltip="The perturbation ten times amplified: grey is no change.",
                ),
            ],
        )

    @classmethod
    def execute(cls, assignment: AssignedPictures, mixture: Mixture, strength: float) -> Any:
        """Pick and scale; nothing is computed but a sum."""
        chosen = target_perturbation(mixture, assignment, strength=strength)
        return io.NodeOutput(chosen, difference_image(chosen.perturbation))
