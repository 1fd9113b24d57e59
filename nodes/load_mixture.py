"""Load Mixture: the learnt perturbations, from the models folder or from those shipped."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from fixative.mixture import Mixture

from . import mixtures
from .host.folders import mixture_files
from .host.progress import node_id_of, say
from .schema import build, check_choices
from .sockets import MIXTURE


class LoadMixture(io.ComfyNode):
    """Node ``FixativeLoadMixture``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeLoadMixture",
            display_name="Load Mixture (Fixative)",
            category="fixative/steps",
            description="Loads trained perturbations and says what they were trained for.",
            search_aliases=["mixture of perturbations", "FastProtect"],
            inputs=[
                build(
                    io.Combo.Input,
                    "name",
                    options=_names(),
                    tooltip="A file in the folder models/fixative, or one that is shipped.",
                )
            ],
            outputs=[
                build(
                    MIXTURE.Output,
                    "mixture",
                    display_name="mixture",
                    tooltip="The perturbations, for Assign Mixture and Target Perturbation.",
                ),
                build(
                    io.String.Output,
                    "description",
                    display_name="description",
                    tooltip="Latent family, budget η, targets, groups, and the training's recipe.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        """Refuse a file that is not offered."""
        return check_choices({"name": name}, {"name": _names()})

    @classmethod
    def fingerprint_inputs(cls, name: str) -> Any:
        """Load again when the file has changed."""
        del name
        return mixtures.fingerprint(mixture_files())

    @classmethod
    def execute(cls, name: str) -> Any:
        """Load it; show its facts in the node."""
        mixture = mixtures.named(name, mixture_files())
        say(summary(mixture), node_id_of(cls))
        return io.NodeOutput(mixture, description(mixture))


def summary(mixture: Mixture) -> str:
    """A line: family, budget, targets and groups."""
    return (
        f"{mixture.name}: latent family {mixture.family}, η {mixture.eta * 255:g}/255, "
        f"targets {', '.join(mixture.target_names)}, {mixture.groups} groups"
    )


def description(mixture: Mixture) -> str:
    """The summary, a blank line, and the recipe as JSON."""
    return f"{summary(mixture)}\n\n{json.dumps({'recipe': mixture.recipe}, indent=1)}"


def _names() -> list[str]:
    return mixtures.choices(mixture_files())[1:]  # all but auto, which needs a VAE
