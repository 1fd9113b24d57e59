"""The sub-tab Purify: what is left of a protection after somebody tried to take it off?"""

# pyright: reportMissingImports=false
from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import gradio as gr

from fixative.countermeasures import PRESETS
from fixative.pictures import read_picture
from fixative_webui import host
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, uploaded
from fixative_webui.tab_parts import picture_field, results, vae_field, vae_named, wire
from fixative_webui.tab_saved import saved
from fixative_webui.vae import codec_for
from fixative_webui.work import needs_codec, purify

ENDING = "-purified.png"
#: Offered by name; others, and chains, can be written.
METHODS = (
    *(f"impress:{preset}" for preset in ("fast", *(name for name in PRESETS if name != "fast"))),
    "roundtrip",
    "jpeg:75",
    "noise:0.05",
    "resize:0.5",
    "crop:0.9",
    "median:3",
    "bits:4",
    "adverse",
    "tv:0.05",
    "jpeg:75+resize:0.5",
)


def build(options: Options) -> None:
    """Lay out the sub-tab."""
    with gr.Row(equal_height=False):
        with gr.Column():
            picture = picture_field("purify_picture", "Protected picture")
            method = gr.Dropdown(
                choices=list(METHODS),
                value=METHODS[0],
                label="Method",
                elem_id="fixative_purify_method",
            )
            written = gr.Textbox(
                value="",
                label="Or write one, as on the command line",
                placeholder="jpeg:75+median:3",
                elem_id="fixative_purify_written",
            )
            seed = gr.Number(
                value=0,
                precision=0,
                label="Seed, for what draws noise",
                elem_id="fixative_purify_seed",
            )
            vae = vae_field("purify", options)
        with gr.Column():
            shown = results("purify", "Purify")
    wire(shown, purify_one, [picture, method, written, seed, vae])


def purify_one(picture: Any, method: str, written: str, seed: float, vae: str) -> Answer:
    """Purify one uploaded picture, by what was written or else chosen."""
    source = uploaded(picture)
    text = (written or "").strip() or method
    options = replace(Options.from_settings(), vae=vae_named(vae))
    lent = codec_for(options, decoder=True) if needs_codec(text) else nullcontext()
    with host.job("Purifying"), lent as seen:
        before = read_picture(source, limits=LIMITS)
        done = purify(before, text, seen, host.tell, seed=int(seed or 0))
    return saved(before, done, ending=ENDING)
