"""Load Testbed: a small diffusion model that ships with the pack, as the host's own objects."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from fixative.errors import FixativeError
from fixative.mimicry.network import RESOLUTION
from fixative.mimicry.testbed import read_testbed
from fixative.mimicry.vocabulary import NOTHING, parse_caption

from .host.progress import node_id_of, say
from .host.testbed import conditioning, load_testbed_model, load_testbed_vae
from .schema import build

#: A word that no training picture had: an imitator's LoRA gives it its meaning.
CAPTION = "new1"


class LoadTestbed(io.ComfyNode):
    """Node ``FixativeLoadTestbed``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeLoadTestbed",
            display_name="Load Testbed (Fixative)",
            category="fixative/mimicry",
            description="A small diffusion model that comes with Fixative, with its VAE and its "
            "words: a laboratory animal for the mimicry test. It runs on any computer, and shows "
            "nothing about large models.",
            search_aliases=["tiny model", "laboratory", "mimicry", "load checkpoint"],
            inputs=[
                build(
                    io.String.Input,
                    "caption",
                    default=CAPTION,
                    tooltip="Up to three words, such as: photo dog new1. new1 to new4 mean nothing "
                    "yet; a LoRA gives them a meaning. The help page lists all words.",
                )
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, caption: str | None = None) -> bool | str:
        """Refuse a word that the testbed does not know; None comes from another node."""
        try:
            read_testbed()[1].indices([parse_caption(caption or "")])
        except FixativeError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, caption: str) -> Any:
        """Build everything by the host's own classes."""
        model, vocabulary = load_testbed_model()
        wanted, empty = (vocabulary.embed([words]) for words in (parse_caption(caption), ()))
        known = sum(word != NOTHING for word in vocabulary.words)
        say(f"{known} words, pictures of {RESOLUTION} × {RESOLUTION} pixels", node_id_of(cls))
        return io.NodeOutput(model, load_testbed_vae(), conditioning(wanted), conditioning(empty))


def _outputs() -> list[Any]:
    return [
        build(
            io.Model.Output,
            "model",
            display_name="model",
            tooltip="The diffusion model, of Stable Diffusion 1's design at a hundredth of its "
            "size. Draws 256 × 256 pixels with any KSampler.",
        ),
        build(
            io.Vae.Output,
            "vae",
            display_name="vae",
            tooltip="Its VAE: the small one that comes with Fixative, of the sd1 family.",
        ),
        build(
            io.Conditioning.Output,
            "positive",
            display_name="positive",
            tooltip="The caption.",
        ),
        build(
            io.Conditioning.Output,
            "negative",
            display_name="negative",
            tooltip="The empty caption, for guidance.",
        ),
    ]
