"""Edit Test: what becomes of edits by img2img where the picture is protected."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import time
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.mimicry.features import load_eyes
from fixative.mimicry.tools import MimicryTools

from . import mimic_inputs as inputs
from .convert import from_pil
from .distances import perceptual_distance
from .editing import edit_settings, edit_text, edited, with_controls
from .grids import labelled_rows
from .host.denoisers import Asked, borrowed_denoiser, side_of_model
from .host.gradients import borrowed_codec
from .host.progress import Progress, node_id_of
from .inputs import seed_input
from .mimic_windows import CLEAN, FITS, batches_of, fitted_batches
from .schema import build, check_choices


class EditTest(io.ComfyNode):
    """Node ``FixativeEditTest``; ids and the order of widgets never change."""

    __test__ = False

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeEditTest",
            display_name="Edit Test (Fixative)",
            category="fixative/mimicry",
            description="What does an edit by img2img make of a protected picture? Edits clean, "
            "protected and purified pictures with the same noise, and measures how far the "
            "results part, beside chance and noise of the same budget.",
            search_aliases=["img2img", "PhotoGuard", "image editing", "SDEdit"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, fit: str | None = None) -> bool | str:
        """Refuse a choice that is not offered; None comes from another node."""
        return check_choices({"fit": fit}, {"fit": FITS})

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        positive: Any,
        clean: Tensor,
        protected: Tensor,
        denoise: float,
        seed: int,
        sampling_steps: int,
        guidance: float,
        side: int,
        fit: str,
        purified: Tensor | None = None,
        negative: Any | None = None,
    ) -> Any:
        """Edit picture by picture; a stop takes effect between two steps."""
        asked = Asked(model, positive, negative, side)
        batches = batches_of(clean, protected, purified, least=1)
        windows = fitted_batches(batches, side_of_model(asked), fit)
        edit = edit_settings(
            level=denoise, steps=sampling_steps, guidance=guidance, pictures=len(clean)
        )
        progress = Progress((len(windows) + 2) * len(clean) * sampling_steps, node_id_of(cls))
        start, steps_done = time.monotonic(), 0

        def tell(arm: str, picture: int, pictures: int, step: int, steps: int) -> None:
            nonlocal steps_done
            steps_done += 1
            progress.done(steps_done, f"{arm}: picture {picture}/{pictures}, step {step}/{steps}")

        with borrowed_codec(vae, decoder=True) as codec, borrowed_denoiser(asked) as denoiser:
            tools = MimicryTools(denoiser, codec, perceptual_distance(), load_eyes(codec))
            windows = {name: images.clone() for name, images in windows.items()}
            everything = with_controls(windows, seed)
            done = edited(everything, edit, seed, tools, tell)
            described = tools.describe()
        text, facts = edit_text(done, edit, described, seconds=time.monotonic() - start)
        rows = [(f"picture: {name}", images) for name, images in windows.items()]
        rows += [(f"edit, {one.arm}", one.images) for one in done]
        grid = labelled_rows(rows, side=min(windows[CLEAN].shape[-1], 256))
        return io.NodeOutput(from_pil(grid), text, facts, ui={"text": [text]})


def _inputs() -> list[Any]:
    return [
        *inputs.models("What the pictures are turned into, such as: painting."),
        *inputs.batches(""),
        build(
            io.Float.Input,
            "denoise",
            default=0.5,
            min=0.01,
            max=1.0,
            step=0.01,
            tooltip="How far the edit goes, as denoise in KSampler: 1 keeps nothing of the "
            "picture.",
        ),
        seed_input("Of the noise, the same for the clean and the protected picture."),
        *inputs.drawing(steps=12, guidance=3.0),
        *inputs.fitting(),
        *inputs.optional("The empty text, for guidance. Without one there is no guidance."),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.Image.Output,
            "grid",
            display_name="grid",
            tooltip="The pictures, and below them their edits.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="How far the edits of protected pictures are from those of the clean ones.",
        ),
        build(io.String.Output, "json", display_name="JSON", tooltip="All numbers."),
    ]
