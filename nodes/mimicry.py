"""LoRA Mimicry Test: does the protection stop an imitator who trains on the pictures?"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from comfy_api.latest import io
from torch import Tensor

from fixative.mimicry.features import load_eyes
from fixative.mimicry.lora import Lora
from fixative.mimicry.tools import MimicryTools

from . import mimic_inputs as inputs
from .convert import from_pil
from .distances import perceptual_distance
from .grids import labelled_rows
from .host.denoisers import Asked, borrowed_denoiser, side_of_model
from .host.gradients import borrowed_codec, out_of_memory_errors
from .host.nothing import nothing
from .host.progress import Progress, node_id_of, stops
from .host.testbed import is_testbed
from .inputs import seed_input
from .live import PARTS
from .loras import lora_model
from .mimic_report import Story, memory_error, mimicry_text
from .mimic_stops import Stops, finished
from .mimic_view import MimicView, loss_picture
from .mimic_windows import CLEAN, FITS, PROTECTED, PURIFIED, batches_of, fitted_batches
from .mimicking import (
    TARGETS,
    Imitator,
    Studio,
    Wanted,
    has_attention,
    plan,
    require_peft,
    rows_of,
)
from .schema import build, check_choices

#: Finished LoRAs of a run that was stopped, by the model's network and what is on its weights: the
#: next run goes on.
_kept: WeakKeyDictionary[Any, dict[str, dict[str, Lora]]] = WeakKeyDictionary()
_stops = Stops()


class LoraMimicryTest(io.ComfyNode):
    """Node ``FixativeLoraMimicryTest``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeLoraMimicryTest",
            display_name="LoRA Mimicry Test (Fixative)",
            category="fixative/mimicry",
            description="Does the protection stop an imitator? Trains a LoRA on the clean, the "
            "protected and the purified pictures, everything else being equal, lets each draw, "
            "and measures how close that comes to the clean pictures.",
            search_aliases=["train LoRA", "imitation", "style mimicry", "DreamBooth", "IMPRESS"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, layers: str | None = None, fit: str | None = None) -> bool | str:
        """Refuse a choice that is not offered; None comes from another node."""
        return check_choices({"layers": layers, "fit": fit}, {"layers": TARGETS, "fit": FITS})

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> int:
        """Run again after a stop that had something to tell, whatever the host has kept of it."""
        return _stops.count(inputs)

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        positive: Any,
        clean: Tensor,
        protected: Tensor,
        rank: int,
        steps: int,
        learning_rate: float,
        batch: int,
        layers: str,
        repetitions: int,
        seed: int,
        samples: int,
        sampling_steps: int,
        guidance: float,
        side: int,
        fit: str,
        purified: Tensor | None = None,
        negative: Any | None = None,
    ) -> Any:
        """Train imitator by imitator; a stop tells what there is, and the next run goes on."""
        require_peft()
        asked = Asked(model, positive, negative, side)
        batches = batches_of(clean, protected, purified)
        windows = fitted_batches(batches, side_of_model(asked), fit)
        wanted = Wanted(
            rank=rank,
            steps=steps,
            learning_rate=learning_rate,
            batch=batch,
            layers=layers,
            repetitions=repetitions,
            seed=seed,
            samples=samples,
            sampling_steps=sampling_steps,
            guidance=guidance,
        )
        weights = str(model.patches_uuid)  # another LoRA on the model makes it another one
        kept = _kept.setdefault(model.model, {}).setdefault(weights, {})
        progress = Progress((len(windows) + 1) * repetitions * PARTS, node_id_of(cls))
        start = time.monotonic()
        try:
            story = _carried_out(asked, vae, wanted, windows, progress, kept)
        except out_of_memory_errors() as error:
            raise memory_error() from error
        if story.missing:
            _stops.add(wanted)
        else:
            _kept.pop(model.model, None)
        return _output(story, windows, time.monotonic() - start)


def _carried_out(
    asked: Asked,
    vae: Any,
    wanted: Wanted,
    windows: dict[str, Tensor],
    progress: Progress,
    kept: dict[str, Lora],
) -> Story:
    testbed = is_testbed(asked.model)
    with borrowed_codec(vae, decoder=True) as codec, borrowed_denoiser(asked) as denoiser:
        settings = wanted.settings(testbed=testbed, attention=has_attention(denoiser.network))
        windows = {name: images.clone() for name, images in windows.items()}
        tools = MimicryTools(denoiser, codec, perceptual_distance(), load_eyes(codec))
        studio = Studio(tools, settings, MimicView(progress.done).tell, kept)
        found = finished(studio, windows, stops())
        there = {(one.arm, one.number) for one in found}
        missing = tuple(one for one in plan(windows, settings.seeds) if one not in there)
        seen = studio.seen(windows[CLEAN])
        return Story(found, settings, tools.describe(), seen, testbed, missing)


def _output(story: Story, windows: dict[str, Tensor], seconds: float) -> Any:
    text, facts = mimicry_text(story, windows, seconds)
    losses = {one.arm: one.lora.losses for one in story.found if one.lora and not one.number}
    side = windows[CLEAN].shape[-1]
    grid = labelled_rows(rows_of(windows, story.found), side=min(side, 256))
    return io.NodeOutput(
        from_pil(grid),
        from_pil(loss_picture(losses)),
        text,
        facts,
        *(_lora_of(story.found, arm) for arm in (CLEAN, PROTECTED, PURIFIED)),
        ui={"text": [text]},
    )


def _lora_of(found: list[Imitator], arm: str) -> Any:
    """The first LoRA of an arm; where there is none, what blocks the nodes behind it."""
    loras = (one.lora for one in found if one.arm == arm and one.lora is not None)
    lora = next(loras, None)
    return nothing() if lora is None else lora_model(lora)


def _inputs() -> list[Any]:
    return [
        *inputs.models(
            "What an imitator would call the pictures: the LoRAs are trained and asked "
            "with it. Best with a word that means nothing yet, as new1."
        ),
        *inputs.batches(", three or more of one subject or style"),
        *inputs.training(),
        inputs.number(
            "repetitions",
            1,
            1,
            8,
            "LoRAs of each batch, with other random numbers. Only with three or more do the "
            "intervals in the report mean much; the time grows with it.",
        ),
        seed_input("Of everything random. The same seed gives the same result on a processor."),
        inputs.number("samples", 6, 2, 16, "Pictures drawn by each LoRA, to look at and measure."),
        *inputs.drawing(steps=12, guidance=2.0),
        *inputs.fitting(),
        *inputs.optional("The empty text, for guidance. Without one there is no guidance."),
    ]


def _outputs() -> list[Any]:
    lora = io.Custom("LORA_MODEL").Output
    whose = {CLEAN: "clean", PROTECTED: "protected", PURIFIED: "purified"}
    return [
        build(
            io.Image.Output,
            "grid",
            display_name="grid",
            tooltip="What was learnt from, and what each imitator drew from the same noise.",
        ),
        build(
            io.Image.Output,
            "curves",
            display_name="loss curves",
            tooltip="The loss of each LoRA while it was trained.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="How much less faithful the imitation is, and all numbers behind that.",
        ),
        build(io.String.Output, "json", display_name="JSON", tooltip="All numbers."),
        *(
            build(
                lora,
                f"lora_{name}",
                display_name=f"{name} LoRA",
                tooltip=f"The LoRA of the {which} pictures, for Load LoRA Model and Save LoRA "
                "Weights.",
            )
            for name, which in whose.items()
        ),
    ]
