"""The sub-tab Mimicry test: does a protection keep an imitator's LoRA from learning a style?"""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import gradio as gr

from fixative.errors import SettingError
from fixative.protections.base import MAX_STRENGTH
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import all_uploaded
from fixative_webui.tab_packages import require_packages
from fixative_webui.tab_parts import not_remembered, picture_field, results, wire

ABOUT = (
    "Trains small LoRAs on your pictures as they are, on protected copies and on copies with "
    "random noise, and compares what they draw. The model is Fixative's testbed, a laboratory "
    "animal that fits on a processor: what it shows is no promise about large models. A quick "
    "test of four pictures takes some six minutes of a processor's core; one that was interrupted "
    "goes on when you run it again."
)


def build(options: Options) -> None:
    """Lay out the sub-tab."""
    gr.Markdown(ABOUT)
    with gr.Row(equal_height=False):
        with gr.Column():
            pictures = picture_field(
                "mimicry_pictures", "Three pictures or more of one style or subject", many=True
            )
            fields = [*_method_fields(options), *_size_fields()]
        with gr.Column():
            found = results("mimicry", "Run the test")
    wire(found, imitate, [pictures, *fields])


def imitate(pictures: Any, *fields: Any) -> Answer:
    """Carry out a test on uploaded pictures.

    Raises:
        SettingError: packages are missing, or there are no pictures.
    """
    sources = all_uploaded(pictures)
    if not sources:
        raise SettingError("pictures: there are none; drop files on the field, or click on it")
    require_packages()
    from fixative_webui.tab_mimicry_run import Wanted, run  # noqa: PLC0415 - loads for seconds

    return run(sources, Wanted(*fields))


def _method_fields(options: Options) -> list[Any]:
    protections = gr.Textbox(
        value="mixture",
        label="Protections, with blanks in between: mixture, mist:100, …",
        elem_id="fixative_mimicry_protections",
    )
    countermeasures = gr.Textbox(
        value="jpeg:75+resize:0.5",
        label="What the imitator tries on them (may be empty)",
        elem_id="fixative_mimicry_countermeasures",
    )
    baseline = gr.Textbox(
        value="photoguard:10",
        label="Iterative protection to compare with (may be empty)",
        elem_id="fixative_mimicry_baseline",
    )
    strength = gr.Slider(
        minimum=0.5,
        maximum=MAX_STRENGTH,
        step=0.5,
        value=options.strength,
        label="Strength of all, in 1/255",
        elem_id="fixative_mimicry_strength",
    )
    return [protections, countermeasures, baseline, not_remembered(strength)]


def _size_fields() -> list[Any]:
    with gr.Row():
        seeds = _number("seeds", 2, "LoRAs of each kind")
        samples = _number("samples", 6, "Pictures drawn with each")
        steps = _number("steps", 27, "Training steps of each")
    fresh = gr.Checkbox(
        value=False,
        label="Start over, instead of going on with an interrupted test",
        elem_id="fixative_mimicry_fresh",
    )
    return [seeds, samples, steps, fresh]


def _number(name: str, value: int, label: str) -> Any:
    return gr.Number(value=value, precision=0, label=label, elem_id=f"fixative_mimicry_{name}")
