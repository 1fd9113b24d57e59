"""The sub-tab Purify: what is left of a protection after somebody tried to take it off?"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import gradio as gr

from fixative.countermeasures import PRESETS
from fixative.pictures import OUTPUT_FORMATS, read_picture, write_picture
from fixative_webui import host
from fixative_webui import tab_html as html
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, free_names, shown_copy, uploaded
from fixative_webui.tab_parts import picture_field, results, vae_field, vae_named, wire
from fixative_webui.tab_view import compare_view
from fixative_webui.vae import codec_for
from fixative_webui.work import needs_codec, purify

ENDING = "-purified.png"
#: Offered by name; others can be written, in chains too.
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
PNG = OUTPUT_FORMATS["png"]


def build(options: Options) -> None:
    """Lay out the sub-tab."""
    with gr.Row(equal_height=False):
        with gr.Column():
            picture = picture_field("purify_picture", "Protected picture")
            method = gr.Dropdown(
                choices=list(METHODS),
                value=METHODS[0],
                allow_custom_value=True,
                label="Method: choose one, or write a chain as on the command line",
                elem_id="fixative_purify_method",
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
    wire(shown, purify_one, [picture, method, seed, vae])


def purify_one(picture: Any, method: str, seed: float, vae: str) -> Answer:
    """Purify one uploaded picture."""
    source = uploaded(picture)
    written = (method or "").strip()
    options = replace(Options.from_settings(), vae=vae_named(vae))
    lent = codec_for(options, decoder=True) if needs_codec(written) else nullcontext()
    with host.job("Purifying"), lent as seen:
        before = read_picture(source, limits=LIMITS)
        done = purify(before, written, seen, host.tell, seed=int(seed or 0))
        [path] = free_names([source], host.allowed_output_dir(), ending=ENDING)
        saved = write_picture(before, done.pixels, path, output=PNG)
    view = compare_view(
        shown_copy(before.image(), "before.png", icc=before.metadata.icc),
        shown_copy(done.image, "after.png", icc=before.metadata.icc),
        size=before.size,
        name=source.name,
    )
    first, *others = done.report.splitlines()
    report = html.report(
        html.heading(first),
        *(html.paragraph(line) for line in others),
        html.bullets([*done.notices, *saved.notes]),
        html.paragraph(f"Saved without loss as {path}"),
        html.details("Every number, as JSON", json.dumps(done.info, indent=1)),
    )
    return Answer(report, view, [path])
